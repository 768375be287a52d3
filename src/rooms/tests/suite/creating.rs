//! Room creation.

use plop_db::{Direction, KeyRange};
use plop_rooms::ops::create::{CreateError, CreateRoom, InitialState, Preset};
use plop_rooms::schema::{self, Aliases, Membership, Timeline};
use ruma::{RoomId, RoomVersionId};

use crate::suite::bed::{Bed, id, json, private_room, user};

/// The types of a room's events in the order of arrival.
async fn timeline(bed: &Bed, room: &RoomId) -> Vec<String> {
    let rooms = &bed.rooms;
    let view = rooms.view_by_id(room).await.expect("the room");
    let snapshot = rooms.core().db.snapshot();
    let page = snapshot
        .scan(KeyRange::<Timeline>::prefix(&view.number), Direction::Forward, 100)
        .await
        .expect("rows");
    let mut types = Vec::new();
    for (_, row) in page.rows {
        let event =
            rooms.core().events.get(&snapshot, view.number, view.rules, row.event).await.expect("the event");
        types.push(event.pdu.type_name().to_owned());
    }
    types
}

#[tokio::test]
async fn every_version_has_its_first_events_in_order() {
    let bed = Bed::new().await;
    for rules in &plop_state::version::ALL {
        let request = CreateRoom {
            name: Some("Tea".to_owned()),
            topic: Some("Leaves".to_owned()),
            invite: vec![id("bob")],
            initial_state: vec![InitialState {
                kind: "m.room.encryption".to_owned(),
                state_key: String::new(),
                content: json(r#"{"algorithm":"m.megolm.v1.aes-sha2"}"#),
            }],
            ..private_room(rules.version.clone())
        };
        let room = bed.rooms.create(&user("alice"), &request).await.expect("a room");
        let expected = [
            "m.room.create",
            "m.room.member",
            "m.room.power_levels",
            "m.room.join_rules",
            "m.room.history_visibility",
            "m.room.guest_access",
            "m.room.encryption",
            "m.room.name",
            "m.room.topic",
            "m.room.member",
        ];
        assert_eq!(timeline(&bed, &room).await, expected, "version {}", rules.version);
        let view = bed.rooms.view_by_id(&room).await.expect("the room");
        assert_eq!(view.members.membership(&id("alice")), Membership::Join);
        assert_eq!(view.members.membership(&id("bob")), Membership::Invite);
    }
}

#[tokio::test]
async fn a_room_is_the_same_after_a_restart() {
    let bed = Bed::new().await;
    let request = CreateRoom { invite: vec![id("bob")], ..private_room(RoomVersionId::V12) };
    let room = bed.rooms.create(&user("alice"), &request).await.expect("a room");
    let before = bed.rooms.view_by_id(&room).await.expect("the room");
    let after = bed.restarted().await.rooms.view_by_id(&room).await.expect("the room");
    assert_eq!(before.root, after.root);
    assert_eq!(before.members.joined_count(), after.members.joined_count());
    assert_eq!(before.members.invited_count(), after.members.invited_count());
    assert_eq!(before.join_rule(), after.join_rule());
}

#[tokio::test]
async fn an_alias_is_given_once_and_a_refused_room_leaves_nothing() {
    let bed = Bed::new().await;
    let request = CreateRoom { alias: Some("tea".to_owned()), ..private_room(RoomVersionId::V12) };
    bed.rooms.create(&user("alice"), &request).await.expect("a room");
    let again = bed.rooms.create(&user("bob"), &request).await;
    assert!(matches!(again, Err(CreateError::AliasInUse)), "{again:?}");
    let both = CreateRoom { alias: Some("cake".to_owned()), ..request };
    let (alice, bob) = (user("alice"), user("bob"));
    let (first, second) = tokio::join!(bed.rooms.create(&alice, &both), bed.rooms.create(&bob, &both));
    assert!(first.is_ok() != second.is_ok(), "two creations at once: exactly one has the alias");
    let snapshot = bed.rooms.core().db.snapshot();
    let aliases = snapshot.scan(KeyRange::<Aliases>::all(), Direction::Forward, 10).await.expect("rows");
    assert_eq!(aliases.rows.len(), 2);
    let rooms =
        snapshot.scan(KeyRange::<schema::RoomRecords>::all(), Direction::Forward, 10).await.expect("rows");
    assert_eq!(rooms.rows.len(), 2, "the room that lost is not there");
}

#[tokio::test]
async fn initial_state_that_the_rules_refuse_creates_nothing() {
    let bed = Bed::new().await;
    let request = CreateRoom {
        preset: Preset::PublicChat,
        power_levels_override: json(r#"{"users":{"@alice:plop.example":0}}"#),
        name: Some("Tea".to_owned()),
        ..private_room(RoomVersionId::V11)
    };
    let refused = bed.rooms.create(&user("alice"), &request).await;
    assert!(matches!(refused, Err(CreateError::InitialState(_))), "{refused:?}");
    let snapshot = bed.rooms.core().db.snapshot();
    let rooms =
        snapshot.scan(KeyRange::<schema::RoomRecords>::all(), Direction::Forward, 10).await.expect("rows");
    assert!(rooms.rows.is_empty());
}
