//! Member events that are sent later: as who scheduled them, within the same limits, once.

use plop_base::Actor;
use plop_bed::{id, json, user};
use plop_delayed::schema::FailureKind;
use plop_rooms::ops::send::SendEvent;
use plop_state::json::Object;

use crate::bed::Bed;

#[tokio::test(start_paused = true)]
async fn a_guest_stays_a_guest() {
    let bed = Bed::new().await;
    let room = bed.rooms.room("alice").await;
    bed.rooms.set("alice", &room, "m.room.power_levels", r#"{"users_default":0,"kick":0,"invite":0}"#).await;
    bed.rooms.join("bob", &room).await;
    bed.rooms.join("carol", &room).await;
    let guest = Actor::Guest { user: id("bob"), device: "DEVICE".into() };
    let mut scheduled = Vec::new();
    for (target, membership) in [("carol", "leave"), ("dave", "invite")] {
        scheduled.push(bed.member_later(&guest, &room, target, membership).await.expect("scheduled"));
    }
    bed.pass(100).await;
    bed.delayed.catch_up().await.expect("done");
    for id in scheduled {
        assert_eq!(bed.refused("bob", &id).await, FailureKind::Forbidden);
    }
    let view = bed.rooms.rooms.view_by_id(&room).await.expect("a room");
    assert!(view.members.is_joined(&id("carol")));
}

/// Row 149 of the hostile input.
#[tokio::test(start_paused = true)]
async fn row_149_invitations_that_are_sent_later_are_limited_like_others() {
    let bed = Bed::new().await;
    let mut scheduled = Vec::new();
    for _ in 0..3 {
        let room = bed.rooms.room("alice").await;
        scheduled.push(bed.member_later(&user("alice"), &room, "bob", "invite").await.expect("scheduled"));
        bed.pass(1).await;
    }
    bed.pass(100).await;
    bed.delayed.catch_up().await.expect("done");
    let mut limited = 0;
    for id in &scheduled {
        if bed.sent("alice", id).await.is_none() {
            assert_eq!(bed.refused("alice", id).await, FailureKind::Limited);
            limited += 1;
        }
    }
    assert_eq!(limited, 1);
}

/// The process ends between the event and the row that says so, and the one who was invited has answered meanwhile.
#[tokio::test(start_paused = true)]
async fn an_invitation_that_was_sent_and_rejected_is_not_sent_again() {
    let bed = Bed::new().await;
    let room = bed.rooms.room("alice").await;
    let delayed = bed.member_later(&user("alice"), &room, "bob", "invite").await.expect("scheduled");
    let event = SendEvent {
        kind: "m.room.member".to_owned(),
        state_key: Some(id("bob").to_string()),
        content: json(r#"{"membership":"invite"}"#),
        transaction: None,
        ts: None,
    };
    let sent = bed.rooms.rooms.send_delayed(&user("alice"), &room, &event, &delayed).await.expect("an event");
    let bed = bed.restarted().await;
    bed.rooms.rooms.leave(&user("bob"), &room, &Object::new()).await.expect("rejected");
    bed.pass(100).await;
    bed.delayed.catch_up().await.expect("done");
    let view = bed.rooms.rooms.view_by_id(&room).await.expect("a room");
    let membership = view.members.membership(&id("bob"));
    assert_eq!(membership, plop_rooms::schema::Membership::Leave);
    assert_eq!(bed.sent("alice", &delayed).await, Some(sent));
}
