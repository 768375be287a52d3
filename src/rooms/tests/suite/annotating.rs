//! Reactions: each is given once.

use plop_rooms::ops::refusal::Refusal;
use plop_rooms::ops::send::SendEvent;
use ruma::{EventId, OwnedEventId, OwnedRoomId, RoomVersionId, owned_event_id};

use crate::suite::bed::{Bed, json, redaction, user};

fn annotation(kind: &str, rel_type: &str, target: &EventId, key: &str) -> SendEvent {
    let relation = format!(r#"{{"rel_type":"{rel_type}","event_id":"{target}","key":"{key}"}}"#);
    SendEvent {
        kind: kind.to_owned(),
        state_key: None,
        content: json(&format!(r#"{{"m.relates_to":{relation}}}"#)),
        transaction: None,
        ts: None,
    }
}

fn reaction(target: &EventId, key: &str) -> SendEvent {
    annotation("m.reaction", "m.annotation", target, key)
}

async fn room(bed: &Bed) -> (OwnedRoomId, OwnedEventId) {
    let room = bed.room(RoomVersionId::V12, Some(r#"{"join_rule":"public"}"#)).await;
    bed.rooms.join(&user("bob"), &room, &json("{}")).await.expect("a join");
    let event = annotation("m.room.message", "org.x", &owned_event_id!("$none"), "x");
    let target = bed.rooms.send(&user("alice"), &room, &event).await.expect("an event");
    (room, target)
}

#[tokio::test]
async fn a_reaction_is_given_once_also_at_once_and_after_a_restart() {
    let bed = Bed::new().await;
    let (room, target) = room(&bed).await;
    let (alice, event) = (user("alice"), reaction(&target, "+"));
    let (first, second) =
        tokio::join!(bed.rooms.send(&alice, &room, &event), bed.rooms.send(&alice, &room, &event));
    let outcomes = [first, second];
    let given = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(given, 1, "{outcomes:?}");
    for bed in [&bed, &bed.restarted().await] {
        let again = bed.rooms.send(&alice, &room, &event).await;
        assert!(matches!(again, Err(Refusal::DuplicateAnnotation)), "{again:?}");
    }
}

#[tokio::test]
async fn what_differs_is_another_reaction() {
    let bed = Bed::new().await;
    let (room, target) = room(&bed).await;
    let other = owned_event_id!("$other");
    bed.rooms.send(&user("alice"), &room, &reaction(&target, "+")).await.expect("the first one");
    let others = [
        ("bob", reaction(&target, "+")),
        ("alice", reaction(&target, "-")),
        ("alice", reaction(&other, "+")),
        ("alice", annotation("org.x", "m.annotation", &target, "+")),
        ("alice", annotation("m.reaction", "org.x", &target, "+")),
        ("alice", annotation("m.reaction", "org.x", &target, "+")),
    ];
    for (number, (name, event)) in others.iter().enumerate() {
        let sent = bed.rooms.send(&user(name), &room, event).await;
        assert!(sent.is_ok(), "{number}: {sent:?}");
    }
    // A key is a text of any length.
    let long = reaction(&target, &"x".repeat(20_000));
    bed.rooms.send(&user("alice"), &room, &long).await.expect("an event");
    let again = bed.rooms.send(&user("alice"), &room, &long).await;
    assert!(matches!(again, Err(Refusal::DuplicateAnnotation)), "{again:?}");
}

#[tokio::test]
async fn a_reaction_that_was_taken_back_can_be_given_again() {
    let bed = Bed::new().await;
    let (room, target) = room(&bed).await;
    let (alice, event) = (user("alice"), reaction(&target, "+"));
    for round in ["1", "2", "3"] {
        let given = bed.rooms.send(&alice, &room, &event).await.expect("an event");
        let again = bed.rooms.send(&alice, &room, &event).await;
        assert!(matches!(again, Err(Refusal::DuplicateAnnotation)), "{round}: {again:?}");
        bed.rooms.redact(&alice, &room, &given, &redaction(None, round)).await.expect("a redaction");
    }
    bed.restarted().await.rooms.send(&alice, &room, &event).await.expect("an event");
}

/// A repeated request is answered like the first one, not refused.
#[tokio::test]
async fn a_repeated_request_is_no_second_reaction() {
    let bed = Bed::new().await;
    let (room, target) = room(&bed).await;
    let event = SendEvent { transaction: Some("t".to_owned()), ..reaction(&target, "+") };
    let first = bed.rooms.send(&user("alice"), &room, &event).await.expect("an event");
    assert_eq!(bed.rooms.send(&user("alice"), &room, &event).await.expect("the same"), first);
}
