//! Users who are heard by nobody and are not told.

use plop_accounts::schema::Profiles;
use plop_base::Actor;
use plop_db::Batch;
use plop_db::codec::Tail;
use plop_rooms::ops::create::CreateRoom;
use plop_rooms::ops::refusal::Refusal;
use plop_rooms::ops::send::SendEvent;
use plop_rooms::ops::upgrade::UpgradeRoom;
use plop_rooms::schema::{HeadRow, Membership};
use plop_state::json::Object;
use ruma::{OwnedRoomId, RoomVersionId, owned_device_id, owned_room_alias_id};

use crate::suite::bed::{Bed, id, json, private_room, redaction, user};

fn banned(name: &str) -> Actor {
    Actor::ShadowBanned { user: id(name), device: owned_device_id!("DEVICE") }
}

/// A room that anybody may join, with bob in it.
async fn room(bed: &Bed) -> OwnedRoomId {
    let room = bed.room(RoomVersionId::V12, Some(r#"{"join_rule":"public"}"#)).await;
    bed.rooms.join(&user("bob"), &room, &Object::new()).await.expect("a join");
    room
}

fn event(kind: &str, state_key: Option<&str>, transaction: Option<&str>) -> SendEvent {
    SendEvent {
        kind: kind.to_owned(),
        state_key: state_key.map(ToOwned::to_owned),
        content: json(r#"{"msgtype":"m.text","body":"buy","name":"buy"}"#),
        transaction: transaction.map(ToOwned::to_owned),
        ts: None,
    }
}

#[tokio::test]
async fn what_they_send_is_answered_and_is_not_there() {
    let bed = Bed::new().await;
    let room = room(&bed).await;
    let before = bed.rooms.send(&user("bob"), &room, &event("m.room.message", None, None)).await;
    let before = before.expect("an event");
    let (head, bob) = (bed.head(&room).await, banned("bob"));

    let message = event("m.room.message", None, Some("1"));
    let sent = bed.rooms.send(&bob, &room, &message).await.expect("an answer");
    let again = bed.restarted().await.rooms.send(&bob, &room, &message).await.expect("an answer");
    assert_eq!(sent, again, "a repeated request gets the answer of the first one");
    let other = bed.rooms.send(&bob, &room, &event("m.other", None, Some("1"))).await.expect("an answer");
    assert_ne!(sent, other);
    bed.rooms.redact(&bob, &room, &before, &redaction(None, "2")).await.expect("an answer");
    let state = bed.rooms.send(&bob, &room, &event("m.room.name", Some(""), None)).await;
    assert!(matches!(state, Err(Refusal::Rule(_))), "refused like anybody else: {state:?}");
    bed.rooms.send(&banned("alice"), &room, &event("m.room.name", Some(""), None)).await.expect("an answer");

    // The transaction ids have moved the sequence, and nothing else.
    let now = bed.head(&room).await;
    assert_eq!(HeadRow { sequence: head.sequence, ..now }, head);
    let (core, snapshot) = (bed.rooms.core(), bed.rooms.core().db.snapshot());
    let number = bed.rooms.number(&room).await.expect("a read").expect("the room");
    assert_eq!(core.events.number(&snapshot, number, &sent).await.expect("a read"), None);
    assert_eq!(bed.state(&room, "m.room.name", "").await, serde_json::Value::Null);

    // Whoever is heard goes on where the room was.
    bed.rooms.send(&user("bob"), &room, &event("m.room.message", None, Some("3"))).await.expect("an event");
    assert_eq!(bed.head(&room).await.totals.all.events, head.totals.all.events + 1);
}

#[tokio::test]
async fn they_come_and_go_and_do_nothing_to_others() {
    let bed = Bed::new().await;
    let room = room(&bed).await;
    let (head, alice, none) = (bed.head(&room).await, banned("alice"), Object::new());
    bed.rooms.invite(&alice, &room, &id("carol"), &none).await.expect("an answer");
    bed.rooms.kick(&alice, &room, &id("bob"), &none).await.expect("an answer");
    bed.rooms.ban(&alice, &room, &id("bob"), &none).await.expect("an answer");
    let content = json(r#"{"membership":"ban","reason":"buy"}"#);
    bed.rooms.set_member(&alice, &room, &id("bob"), &content, None).await.expect("an answer");
    let absent = bed.rooms.kick(&alice, &room, &id("carol"), &none).await;
    assert!(matches!(absent, Err(Refusal::TargetNotInRoom(_))), "refused like anybody else: {absent:?}");
    bed.rooms.publish(&alice, &room, true).await.expect("an answer");
    let request = UpgradeRoom { version: RoomVersionId::V12, additional_creators: Vec::new() };
    let new = bed.rooms.upgrade(&alice, &room, &request).await.expect("an answer");
    assert_ne!(new, room);
    assert_eq!(bed.head(&room).await, head);
    assert!(!bed.rooms.is_published(&room).await.expect("a read"));

    let reason = json(r#"{"reason":"buy"}"#);
    bed.rooms.leave(&banned("bob"), &room, &reason).await.expect("out");
    assert_eq!(bed.membership(&room, "bob").await, Some(Membership::Leave));
    let out = bed.state(&room, "m.room.member", "@bob:plop.example").await;
    assert_eq!(out, serde_json::json!({"membership": "leave"}));
    let content = json(r#"{"membership":"join","displayname":"buy"}"#);
    bed.rooms.set_member(&banned("bob"), &room, &id("bob"), &content, None).await.expect("in");
    let back = bed.state(&room, "m.room.member", "@bob:plop.example").await;
    assert_eq!(back, serde_json::json!({"membership": "join"}));
}

#[tokio::test]
async fn nobody_is_invited_to_their_rooms() {
    let bed = Bed::new().await;
    let request = CreateRoom { invite: vec![id("bob")], published: true, ..private_room(RoomVersionId::V12) };
    let room = bed.rooms.create(&banned("alice"), &request).await.expect("a room");
    assert_eq!(bed.membership(&room, "alice").await, Some(Membership::Join));
    assert_eq!(bed.membership(&room, "bob").await, None);
    assert!(!bed.rooms.is_published(&room).await.expect("a read"));
}

/// Sets bob's name where rooms read it.
async fn name_bob(bed: &Bed, name: &str) {
    let mut batch = Batch::durable();
    batch.put::<Profiles>(&(id("bob"), "displayname".to_owned()), &Tail(format!(r#""{name}""#)));
    bed.rooms.core().db.commit(batch).await.expect("a profile");
}

#[tokio::test]
async fn no_member_event_carries_their_new_name() {
    let bed = Bed::new().await;
    name_bob(&bed, "Bob").await;
    let room = room(&bed).await;
    let (head, bob, none) = (bed.head(&room).await, banned("bob"), Object::new());
    name_bob(&bed, "buy").await;
    let again = bed.rooms.join(&bob, &room, &none).await.expect("an answer");
    let content = json(r#"{"membership":"join","displayname":"buy","org.example.text":"buy"}"#);
    let set = bed.rooms.set_member(&bob, &room, &id("bob"), &content, None).await.expect("an answer");
    let refreshed = bed.rooms.refresh_profile(&bob, &room).await.expect("an answer");
    assert!([set, refreshed].iter().all(|event| *event == again), "the event that stands");
    assert_eq!(bed.head(&room).await, head);
    let stands = bed.state(&room, "m.room.member", "@bob:plop.example").await;
    assert_eq!(stands, serde_json::json!({"membership": "join", "displayname": "Bob"}));

    bed.rooms.leave(&bob, &room, &none).await.expect("out");
    bed.rooms.join(&bob, &room, &none).await.expect("in");
    let back = bed.state(&room, "m.room.member", "@bob:plop.example").await;
    assert_eq!(back, serde_json::json!({"membership": "join"}));
    bed.rooms.join(&user("bob"), &room, &none).await.expect("in, and heard");
    let heard = bed.state(&room, "m.room.member", "@bob:plop.example").await;
    assert_eq!(heard["displayname"], "buy");
}

#[tokio::test]
async fn their_aliases_are_answered_and_lead_nowhere() {
    let bed = Bed::new().await;
    let room = room(&bed).await;
    let (spam, taken) =
        (owned_room_alias_id!("#buy:plop.example"), owned_room_alias_id!("#tea:plop.example"));
    bed.rooms.create_alias(&user("alice"), &taken, &room).await.expect("an alias");
    bed.rooms.create_alias(&banned("bob"), &spam, &room).await.expect("an answer");
    let nowhere = bed.rooms.resolve_alias(&spam).await;
    assert!(matches!(nowhere, Err(Refusal::NoSuchAlias)), "{nowhere:?}");
    let listed = bed.rooms.aliases_of(&user("alice"), &room).await.expect("a list");
    assert_eq!(listed, std::slice::from_ref(&taken));
    let refused = bed.rooms.create_alias(&banned("bob"), &taken, &room).await;
    assert!(matches!(refused, Err(Refusal::AliasInUse)), "refused like anybody else: {refused:?}");
    let refused = bed.rooms.create_alias(&banned("eve"), &spam, &room).await;
    assert!(matches!(refused, Err(Refusal::NotInRoom)), "refused like anybody else: {refused:?}");
    bed.rooms.create_alias(&user("alice"), &spam, &room).await.expect("it is free");
}
