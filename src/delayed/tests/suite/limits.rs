//! What may be scheduled, and for how long it is remembered.

use std::time::Duration;

use plop_base::limits::{MAX_ID_BYTES, MAX_PDU_BYTES};
use plop_bed::{json, user};
use plop_db::{Direction, KeyRange};
use plop_delayed::schema::{DelayedEvents, DelayedOfUser, DelayedRequests, DueDelayed, FinalisedDelayed};
use plop_delayed::{Action, DelayRefusal, Filter, NewDelayed};
use ruma::room_id;

use crate::bed::{Bed, LIMITS};

#[tokio::test(start_paused = true)]
async fn a_user_has_so_many_at_a_time() {
    let bed = Bed::new().await;
    let room = bed.rooms.room("alice").await;
    bed.rooms.join("bob", &room).await;
    for number in 0..LIMITS.max_scheduled {
        bed.later("alice", &room, "x", 10_000 + number as u64).await.expect("scheduled");
    }
    bed.pass(4_000).await;
    match bed.later("alice", &room, "x", 1).await {
        Err(DelayRefusal::TooMany { next }) => assert_eq!(next, Duration::from_secs(6)),
        other => panic!("{other:?}"),
    }
    bed.later("bob", &room, "x", 1).await.expect("another's are not counted");
    let first = bed.scheduled("alice").await.remove(0).id;
    bed.delayed.act(&first, Action::Cancel).await.expect("cancelled");
    bed.later("alice", &room, "x", 1).await.expect("room for one more");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_is_refused_and_nothing_is_written() {
    let bed = Bed::new().await;
    let room = bed.rooms.room("alice").await;
    let max = u64::try_from(LIMITS.max_delay.as_millis()).expect("fits");
    let before = bed.rooms.db.published();
    let long = "x".repeat(MAX_ID_BYTES + 1);
    let text = "x".repeat(MAX_PDU_BYTES);
    assert!(matches!(bed.later("alice", &room, "x", 0).await, Err(DelayRefusal::NoDelay)));
    let too_long = bed.later("alice", &room, "x", max + 1).await;
    assert!(matches!(too_long, Err(DelayRefusal::TooLong { max }) if max == LIMITS.max_delay));
    assert!(matches!(bed.later("alice", &room, &text, 1).await, Err(DelayRefusal::TooLarge)));
    let long_type = bed.schedule("alice", &room, &long, None, "x", 1).await;
    assert!(matches!(long_type, Err(DelayRefusal::IdTooLong(_))));
    for (name, room) in [("bob", &*room), ("alice", room_id!("!absent:plop.example"))] {
        let unseen = bed.later(name, room, "x", 1).await;
        assert!(matches!(unseen, Err(DelayRefusal::Unseen(_))), "{unseen:?}");
    }
    assert_eq!(bed.rooms.db.published(), before);
}

#[tokio::test(start_paused = true)]
async fn a_repeated_request_schedules_no_second_one() {
    let bed = Bed::new().await;
    let room = bed.rooms.room("alice").await;
    let request = |transaction| NewDelayed {
        room: &room,
        kind: "m.room.message",
        state_key: None,
        content: json(r#"{"body":"x"}"#),
        delay: Duration::from_millis(100),
        transaction: Some(transaction),
    };
    let alice = user("alice");
    let first = bed.delayed.schedule(&alice, request("1")).await.expect("scheduled");
    assert_eq!(bed.delayed.schedule(&alice, request("1")).await.expect("known"), first);
    let known = bed.delayed.scheduled_by(&alice, &room, "m.room.message", "1").await.expect("an answer");
    assert_eq!(known.as_ref(), Some(&first));
    assert_ne!(bed.delayed.schedule(&alice, request("2")).await.expect("scheduled"), first);
    let bed = bed.restarted().await;
    bed.pass(100).await;
    bed.delayed.catch_up().await.expect("done");
    assert_eq!(bed.delayed.schedule(&alice, request("1")).await.expect("known, though sent"), first);
    assert_eq!(bed.texts(&room).await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn lists_are_filtered_and_paged() {
    let bed = Bed::new().await;
    let (room, other) = (bed.rooms.room("alice").await, bed.rooms.room("alice").await);
    bed.later("alice", &room, "b", 2_000).await.expect("scheduled");
    bed.later("alice", &other, "a", 1_000).await.expect("scheduled");
    bed.schedule("alice", &room, "org.example.test", Some("k"), "c", 3_000).await.expect("scheduled");
    let alice = user("alice");
    let list = async |filter: Filter<'_>| {
        let page = bed.delayed.list(&alice, filter).await.expect("a page").expect("a page");
        page.events.into_iter().map(|event| event.row.content.0).collect::<Vec<_>>()
    };
    let text = |text: &str| format!(r#"{{"body":"{text}"}}"#);
    assert_eq!(list(Filter::default()).await, [text("a"), text("b"), text("c")]);
    assert_eq!(list(Filter { room: Some(&room), ..Filter::default() }).await, [text("b"), text("c")]);
    assert_eq!(list(Filter { kind: Some("org.example.test"), ..Filter::default() }).await, [text("c")]);
    assert_eq!(list(Filter { finalised: true, ..Filter::default() }).await, Vec::<String>::new());
    let first = bed.scheduled("alice").await.remove(0);
    let from = format!("{}_{}", first.row.due.0, first.id);
    assert_eq!(list(Filter { from: Some(&from), ..Filter::default() }).await, [text("b"), text("c")]);
    for from in ["", "x", "1", "1_", "_a", "-1_a", "1_é", "99999999999999999999_a"] {
        let page = bed.delayed.list(&alice, Filter { from: Some(from), ..Filter::default() }).await;
        let is_none = page.expect("an answer").is_none();
        assert!(is_none || from == "1_", "{from}");
    }
    let large = "x".repeat(60_000);
    bed.pass(3_000).await;
    bed.delayed.catch_up().await.expect("done");
    for number in 0..20 {
        let id = bed.later("alice", &room, &large, 10 + number).await.expect("scheduled");
        bed.delayed.act(&id, Action::Cancel).await.expect("cancelled");
        bed.pass(1).await;
    }
    let over = Filter { finalised: true, ..Filter::default() };
    let page = bed.delayed.list(&alice, over).await.expect("a page").expect("a page");
    let next = page.next.expect("more");
    let rest = bed
        .delayed
        .list(&alice, Filter { from: Some(&next), ..over })
        .await
        .expect("a page")
        .expect("a page");
    assert_eq!((page.events.len() + rest.events.len(), rest.next), (23, None));
}

#[tokio::test(start_paused = true)]
async fn what_is_over_is_forgotten_after_some_days() {
    let bed = Bed::new().await;
    let room = bed.rooms.room("alice").await;
    let transaction = |transaction| NewDelayed {
        room: &room,
        kind: "m.room.message",
        state_key: None,
        content: json(r#"{"body":"x"}"#),
        delay: Duration::from_millis(100),
        transaction: Some(transaction),
    };
    bed.delayed.schedule(&user("alice"), transaction("1")).await.expect("scheduled");
    bed.pass(100).await;
    bed.delayed.catch_up().await.expect("done");
    let week = 7 * 24 * 3600 * 1000;
    bed.pass(week).await;
    bed.delayed.sweep().await.expect("swept");
    assert_eq!(rows(&bed).await, [1, 0, 1, 1, 1], "not yet");
    bed.pass(1).await;
    bed.delayed.sweep().await.expect("swept");
    assert_eq!(rows(&bed).await, [0; 5]);
}

/// How many rows each keyspace has.
async fn rows(bed: &Bed) -> [usize; 5] {
    let snapshot = bed.rooms.db.snapshot();
    let forward = Direction::Forward;
    [
        snapshot.scan(KeyRange::<DelayedEvents>::all(), forward, 9).await.expect("rows").rows.len(),
        snapshot.scan(KeyRange::<DueDelayed>::all(), forward, 9).await.expect("rows").rows.len(),
        snapshot.scan(KeyRange::<DelayedOfUser>::all(), forward, 9).await.expect("rows").rows.len(),
        snapshot.scan(KeyRange::<DelayedRequests>::all(), forward, 9).await.expect("rows").rows.len(),
        snapshot.scan(KeyRange::<FinalisedDelayed>::all(), forward, 9).await.expect("rows").rows.len(),
    ]
}
