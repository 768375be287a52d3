//! How events look to their readers.

use std::sync::Arc;

use plop_base::Actor;
use plop_db::Direction;
use plop_rooms::RoomEvent;
use plop_rooms::draft::EventDraft;
use plop_rooms::ops::send::SendEvent;
use plop_rooms::reader::access::RoomReader;
use plop_rooms::reader::client_event::Detail;
use plop_rooms::reader::history::PageRequest;
use plop_rooms::reader::members::MemberFilter;
use plop_rooms::reader::state::StatePages;
use plop_rooms::reader::stripped::stripped_state;
use plop_state::pdu::ClientFormat;
use ruma::{RoomVersionId, owned_device_id};
use serde_json::Value;

use super::script::Room;
use crate::suite::bed::{Bed, id, json, redaction, user};

async fn shown(reader: &mut RoomReader<'_>, events: &[Arc<RoomEvent>], detail: Detail) -> Vec<Value> {
    let texts = reader.client_events(events, ClientFormat::Full, detail).await.expect("texts");
    texts.iter().map(|text| serde_json::from_str(text).expect("JSON")).collect()
}

async fn history(reader: &mut RoomReader<'_>) -> Vec<Arc<RoomEvent>> {
    let request = PageRequest { from: None, to: None, direction: Direction::Forward, limit: 1000 };
    reader.history(request, |_| true).await.expect("a page").events
}

#[tokio::test]
async fn b4_83_only_the_device_that_sent_it_sees_its_transaction() {
    let bed = Bed::new().await;
    let room = Room::new(&bed, RoomVersionId::V12).await;
    room.member("bob", "join").await;
    let event = SendEvent {
        kind: "m.room.message".to_owned(),
        state_key: None,
        content: json(r#"{"body":"x"}"#),
        transaction: Some("one \"quoted\"".to_owned()),
        ts: None,
    };
    let sent = bed.rooms.send(&user("alice"), &room.id, &event).await.expect("an event");
    let tablet = Actor::User { user: id("alice"), device: owned_device_id!("TABLET") };
    for (actor, expected) in [(user("alice"), Some("one \"quoted\"")), (tablet, None), (user("bob"), None)] {
        let (mut reader, event) = bed.rooms.reader_of_event(&actor, &room.id, &sent).await.expect("it");
        let shown = shown(&mut reader, &[event], Detail::Timeline).await;
        assert_eq!(shown[0]["unsigned"]["transaction_id"].as_str(), expected, "{actor:?}");
        assert!((0..60_000).contains(&shown[0]["unsigned"]["age"].as_i64().expect("an age")));
        assert_eq!(shown[0]["event_id"], sent.as_str());
    }
}

#[tokio::test]
async fn the_age_is_negative_where_a_clock_is_ahead() {
    let bed = Bed::new().await;
    let room = Room::new(&bed, RoomVersionId::V12).await;
    let now = bed.rooms.core().clock.now();
    let mut draft = EventDraft::message("m.room.message", id("alice"), json("{}"));
    draft.ts = Some(plop_base::clock::UnixMillis(now.0 + 3_600_000));
    let sent = room.append(draft).await;
    let alice = user("alice");
    let (mut reader, event) = bed.rooms.reader_of_event(&alice, &room.id, &sent).await.expect("it");
    let shown = shown(&mut reader, &[event], Detail::State).await;
    assert!((-3_600_000..0).contains(&shown[0]["unsigned"]["age"].as_i64().expect("an age")));
}

#[tokio::test]
async fn the_membership_is_that_of_the_reader_after_the_event() {
    let bed = Bed::new().await;
    let room = Room::new(&bed, RoomVersionId::V12).await;
    room.member("bob", "invite").await;
    room.say("alice", "come").await;
    room.member("bob", "join").await;
    room.say("alice", "welcome").await;
    let bob = user("bob");
    let mut reader = bed.rooms.reader(&bob, &room.id).await.expect("a reader");
    let events = history(&mut reader).await;
    let shown = shown(&mut reader, &events, Detail::Timeline).await;
    let memberships: Vec<_> =
        shown.iter().map(|event| event["unsigned"]["membership"].as_str().expect("a word")).collect();
    let (before, last) = memberships.split_at(memberships.len() - 4);
    assert!(before.iter().all(|word| *word == "leave"), "{before:?}");
    assert_eq!(last, ["invite", "invite", "join", "join"]);
}

#[tokio::test]
async fn what_was_replaced_is_named_to_all_and_told_to_those_who_saw_it() {
    let bed = Bed::new().await;
    let room = Room::new(&bed, RoomVersionId::V12).await;
    room.set_visibility("joined").await;
    let old = room.set("m.room.topic", r#"{"topic":"before bob"}"#).await;
    room.member("bob", "join").await;
    let new = room.set("m.room.topic", r#"{"topic":"with bob"}"#).await;
    for (name, told) in [("alice", Some("before bob")), ("bob", None)] {
        let actor = user(name);
        let (mut reader, event) = bed.rooms.reader_of_event(&actor, &room.id, &new).await.expect("it");
        let shown = shown(&mut reader, &[event], Detail::Timeline).await;
        assert_eq!(shown[0]["unsigned"]["replaces_state"], old.as_str());
        assert_eq!(shown[0]["unsigned"]["prev_content"]["topic"].as_str(), told, "{name}");
    }
}

/// Everything that a user can read of a room, as text.
async fn all_that_is_read(room: &Room<'_>, actor: &Actor) -> String {
    let mut reader = room.bed.rooms.reader(actor, &room.id).await.expect("a reader");
    let mut events = history(&mut reader).await;
    for event in events.clone() {
        let context = reader.context(event, 20, |_| true).await.expect("a context");
        events.extend(context.before.events);
        events.extend(context.after.events);
    }
    let mut pages = StatePages::of(reader.state_in_reach().expect("a state"));
    while let Some(page) = pages.next(&reader).await.expect("a page") {
        events.extend(page);
    }
    let mut pages = reader.members(None, MemberFilter::default()).await.expect("members");
    while let Some(page) = pages.next(&reader).await.expect("a page") {
        events.extend(page);
    }
    let mut texts = reader.client_events(&events, ClientFormat::Full, Detail::Timeline).await.expect("texts");
    if let Ok(mut pages) = reader.joined_members() {
        while let Some(page) = pages.next(&reader).await.expect("a page") {
            texts.push(format!("{page:?}"));
        }
    }
    texts.extend(stripped_state(reader.view()));
    texts.join("\n")
}

#[tokio::test]
async fn b4_88_a_redacted_event_shows_its_content_nowhere() {
    for version in [RoomVersionId::V1, RoomVersionId::V6, RoomVersionId::V12] {
        let bed = Bed::new().await;
        let room = Room::new(&bed, version).await;
        room.member("carol", "join").await;
        let profile = json(r#"{"membership":"join","displayname":"secret name"}"#);
        let name = EventDraft::state("m.room.member", id("bob").as_str(), id("bob"), profile);
        let targets = [
            room.append(name).await,
            room.say("bob", "secret word").await,
            room.set("m.room.name", r#"{"name":"secret room"}"#).await,
            room.set("m.room.topic", r#"{"topic":"secret topic"}"#).await,
        ];
        room.set("m.room.topic", r#"{"topic":"open"}"#).await;
        room.member("carol", "leave").await;
        assert!(all_that_is_read(&room, &user("alice")).await.contains("secret"));
        for (number, target) in targets.iter().enumerate() {
            let (alice, transaction) = (user("alice"), number.to_string());
            let redacted =
                bed.rooms.redact(&alice, &room.id, target, &redaction(Some("too loud"), &transaction)).await;
            redacted.expect("a redaction");
        }
        for name in ["alice", "bob", "carol"] {
            let read = all_that_is_read(&room, &user(name)).await;
            assert!(!read.contains("secret"), "{name}");
            // Carol had gone when it happened.
            assert_eq!(read.contains("too loud"), name != "carol", "{name}");
        }
        let again = bed.restarted().await;
        let room = Room { bed: &again, id: room.id.clone(), number: room.number };
        assert!(!all_that_is_read(&room, &user("alice")).await.contains("secret"));
    }
}
