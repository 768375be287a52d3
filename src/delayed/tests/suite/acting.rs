//! Sending at once, cancelling, starting anew.

use plop_bed::user;
use plop_delayed::schema::{End, FailureKind};
use plop_delayed::{Action, DelayRefusal};

use crate::bed::Bed;

#[tokio::test(start_paused = true)]
async fn what_is_cancelled_is_never_sent() {
    let bed = Bed::new().await;
    let room = bed.rooms.room("alice").await;
    let id = bed.later("alice", &room, "x", 1_500).await.expect("scheduled");
    bed.pass(1_000).await;
    for _ in 0..2 {
        bed.delayed.act(&id, Action::Cancel).await.expect("cancelled");
    }
    for action in [Action::Send, Action::Restart] {
        let refused = bed.delayed.act(&id, action).await;
        assert!(matches!(refused, Err(DelayRefusal::Conflict)), "{refused:?}");
    }
    bed.pass(1_000).await;
    bed.delayed.catch_up().await.expect("done");
    assert_eq!((bed.texts(&room).await.len(), bed.scheduled("alice").await.len()), (0, 0));
    let end = bed.delayed.get(&user("alice"), &id).await.expect("an event").row.finalised.expect("an end");
    assert_eq!(end.end, End::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_at_once_is_not_sent_later() {
    let bed = Bed::new().await;
    let room = bed.rooms.room("alice").await;
    let id = bed.later("alice", &room, "x", 1_500).await.expect("scheduled");
    for _ in 0..2 {
        bed.delayed.act(&id, Action::Send).await.expect("sent");
    }
    for action in [Action::Cancel, Action::Restart] {
        let refused = bed.delayed.act(&id, action).await;
        assert!(matches!(refused, Err(DelayRefusal::Conflict)), "{refused:?}");
    }
    bed.pass(2_000).await;
    bed.delayed.catch_up().await.expect("done");
    assert_eq!(bed.texts(&room).await, ["x"]);
}

#[tokio::test(start_paused = true)]
async fn a_restarted_delay_begins_anew() {
    let bed = Bed::new().await;
    let room = bed.rooms.room("alice").await;
    let id = bed.later("alice", &room, "x", 1_500).await.expect("scheduled");
    for _ in 0..3 {
        bed.pass(1_000).await;
        bed.delayed.catch_up().await.expect("done");
        bed.delayed.act(&id, Action::Restart).await.expect("restarted");
    }
    let row = bed.scheduled("alice").await.remove(0).row;
    assert_eq!((row.since, row.delay), (bed.rooms.clock.now(), 1_500));
    bed.pass(1_500).await;
    bed.delayed.catch_up().await.expect("done");
    assert_eq!(bed.texts(&room).await, ["x"]);
}

#[tokio::test(start_paused = true)]
async fn what_the_room_does_not_take_at_once_stays_scheduled() {
    let bed = Bed::new().await;
    let room = bed.rooms.room("alice").await;
    bed.rooms.join("bob", &room).await;
    let id = bed.later("bob", &room, "x", 1_500).await.expect("scheduled");
    bed.rooms.leave("bob", &room).await;
    let refused = bed.delayed.act(&id, Action::Send).await;
    assert!(matches!(refused, Err(DelayRefusal::Room(_))), "{refused:?}");
    bed.rooms.join("bob", &room).await;
    bed.pass(1_500).await;
    bed.delayed.catch_up().await.expect("done");
    assert_eq!(bed.texts(&room).await, ["x"]);
}

#[tokio::test(start_paused = true)]
async fn state_that_another_sets_cancels_and_ones_own_does_not() {
    let bed = Bed::new().await;
    let room = bed.rooms.room("alice").await;
    bed.rooms.join("bob", &room).await;
    let levels = r#"{"users_default":0,"state_default":0,"events_default":0}"#;
    bed.rooms.set("alice", &room, "m.room.power_levels", levels).await;
    let kind = "org.example.test";
    let id = bed.schedule("alice", &room, kind, Some(""), "later", 900).await.expect("scheduled");
    bed.rooms.set("alice", &room, kind, r#"{"body":"own"}"#).await;
    assert_eq!(bed.scheduled("alice").await.len(), 1);
    bed.rooms.set("bob", &room, kind, r#"{"body":"other"}"#).await;
    assert_eq!(bed.scheduled("alice").await.len(), 0);
    let end = bed.delayed.get(&user("alice"), &id).await.expect("an event").row.finalised.expect("an end");
    let End::Refused { failure } = end.end else { panic!("{end:?}") };
    assert_eq!(failure.kind, FailureKind::Replaced);
    bed.delayed.act(&id, Action::Cancel).await.expect("it is");
    // What stood before it was scheduled is what it is to replace.
    let id = bed.schedule("alice", &room, kind, Some(""), "later", 900).await.expect("scheduled");
    bed.pass(900).await;
    bed.delayed.catch_up().await.expect("done");
    assert!(bed.sent("alice", &id).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn nobody_else_finds_them() {
    let bed = Bed::new().await;
    let room = bed.rooms.room("alice").await;
    let id = bed.later("alice", &room, "x", 1_500).await.expect("scheduled");
    assert_eq!(bed.scheduled("bob").await, []);
    let found = bed.delayed.get(&user("bob"), &id).await;
    assert!(matches!(found, Err(DelayRefusal::NotFound)), "{found:?}");
    for name in ["abc", "", &"x".repeat(9_000)] {
        let refused = bed.delayed.act(name, Action::Send).await;
        assert!(matches!(refused, Err(DelayRefusal::NotFound)), "{refused:?}");
    }
}
