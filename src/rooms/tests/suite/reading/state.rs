//! State and members at moments of a room.

use std::collections::BTreeSet;

use plop_db::{Batch, Direction};
use plop_rooms::reader::access::{ReadRefusal, RoomReader};
use plop_rooms::reader::history::PageRequest;
use plop_rooms::reader::members::MemberFilter;
use plop_rooms::reader::state::StatePages;
use plop_rooms::reader::stripped::stripped_state;
use plop_rooms::schema::{Events, Membership};
use plop_state::StateKey;
use plop_state_store::EventNumber;
use plop_state_store::tree::Root;
use ruma::RoomVersionId;
use serde_json::Value;

use super::script::Room;
use crate::suite::bed::{Bed, id, user};

#[tokio::test]
async fn a_state_comes_whole_in_pages() {
    let bed = Bed::new().await;
    let room = Room::new(&bed, RoomVersionId::V12).await;
    for number in 0..450 {
        room.set(&format!("org.example.{number}"), "{}").await;
    }
    let alice = user("alice");
    let reader = bed.rooms.reader(&alice, &room.id).await.expect("a reader");
    let root = reader.state_in_reach().expect("a state");
    let mut pages = StatePages::of(root);
    let (mut keys, mut count) = (BTreeSet::new(), 0);
    while let Some(page) = pages.next(&reader).await.expect("a page") {
        assert!(page.len() <= 200);
        count += page.len();
        keys.extend(page.iter().filter_map(|event| event.pdu.as_state()));
    }
    assert_eq!((keys.len(), count), (root.count() as usize, root.count() as usize));
    let wanted = [StateKey::new("org.example.7", ""), StateKey::new("org.example.none", "")];
    assert_eq!(reader.state_events(root, &wanted).await.expect("events").len(), 1);
}

/// Looks at all of a state.
async fn no_members(reader: &RoomReader<'_>, state: Root) -> BTreeSet<EventNumber> {
    let (mut pages, mut found) = (StatePages::of(state), BTreeSet::new());
    while let Some(page) = pages.next(reader).await.expect("a page") {
        let others = page.iter().filter(|event| event.pdu.type_name() != "m.room.member");
        found.extend(others.map(|event| event.number));
    }
    found
}

#[tokio::test]
async fn a_state_without_its_members_is_found_from_any_other() {
    let bed = Bed::new().await;
    let room = Room::new(&bed, RoomVersionId::V12).await;
    let root = async || bed.rooms.view(room.number).await.expect("the room").root;
    let mut states = vec![root().await];
    for number in 0..6 {
        room.set("m.room.topic", &format!(r#"{{"topic":"{number}"}}"#)).await;
        room.set(&format!("org.example.{number}"), "{}").await;
        room.member(&format!("user{number}"), "join").await;
        room.member("user0", if number % 2 == 0 { "leave" } else { "join" }).await;
        states.push(root().await);
    }
    let alice = user("alice");
    // The first look is at the oldest one, and at the newest one after a restart.
    for bed in [&bed, &bed.restarted().await] {
        for state in states.iter().chain(states.iter().rev()) {
            let reader = bed.rooms.reader(&alice, &room.id).await.expect("a reader");
            let found = reader.without_members(*state).await.expect("a list");
            let found: BTreeSet<EventNumber> = found.into_iter().collect();
            assert_eq!(found, no_members(&reader, *state).await);
        }
        states.reverse();
    }
}

#[tokio::test]
async fn a_reader_whose_picture_is_older_than_the_list_that_is_kept() {
    let bed = Bed::new().await;
    let room = Room::new(&bed, RoomVersionId::V12).await;
    let view = bed.rooms.view(room.number).await.expect("the room");
    let snapshot = bed.rooms.core().db.snapshot();
    for number in 0..50 {
        room.set(&format!("org.example.{number}"), "{}").await;
    }
    // With no node in memory that the older snapshot lacks.
    let bed = bed.restarted().await;
    let (alice, user) = (id("alice"), user("alice"));
    let newer = bed.rooms.reader(&user, &room.id).await.expect("a reader");
    let now = newer.view().root;
    let found = newer.without_members(now).await.expect("a list");
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), no_members(&newer, now).await);
    let older = RoomReader::new(&bed.rooms, view, snapshot, &alice, None).await.expect("a reader");
    let then = older.view().root;
    let found = older.without_members(then).await.expect("a list");
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), no_members(&older, then).await);
}

#[tokio::test]
async fn a_first_look_at_a_state_without_its_members_reads_none_of_them() {
    let bed = Bed::new().await;
    let room = Room::new(&bed, RoomVersionId::V12).await;
    let mut lost = Batch::durable();
    for name in ["bob", "carol"] {
        room.member(name, "join").await;
        let view = bed.rooms.view(room.number).await.expect("the room");
        // Whoever reads it fails.
        lost.delete::<Events>(&(room.number, view.member_event(&id(name)).expect("a member")));
    }
    // What the room ends with is read when it is loaded.
    room.say("alice", "after them").await;
    bed.rooms.core().db.commit(lost).await.expect("a commit");
    let bed = bed.restarted().await;
    let alice = user("alice");
    let reader = bed.rooms.reader(&alice, &room.id).await.expect("a reader");
    let all = reader.view().root;
    let others = reader.without_members(all).await.expect("a list");
    assert_eq!(others.len(), all.count() as usize - 3);
    let mut pages = StatePages::listed(others);
    let page = pages.next(&reader).await.expect("a page").expect("events");
    assert!(page.iter().all(|event| event.pdu.type_name() != "m.room.member"));
    assert!(pages.next(&reader).await.expect("an end").is_none());
}

#[tokio::test]
async fn members_at_a_place_in_history() {
    let bed = Bed::new().await;
    let room = Room::new(&bed, RoomVersionId::V12).await;
    room.member("bob", "join").await;
    room.member("carol", "invite").await;
    let then = bed.rooms.view(room.number).await.expect("the room").position;
    room.member("bob", "leave").await;
    room.member("dave", "join").await;
    let alice = user("alice");
    let mut reader = bed.rooms.reader(&alice, &room.id).await.expect("a reader");
    let token = reader.token_at(then).await.expect("a token");
    let filter = |membership, not_membership| MemberFilter { membership, not_membership };
    let cases = [
        (None, filter(None, None), vec!["alice", "bob", "carol", "dave"]),
        (None, filter(Some(Membership::Join), None), vec!["alice", "dave"]),
        (None, filter(None, Some(Membership::Leave)), vec!["alice", "carol", "dave"]),
        (Some(token), filter(None, None), vec!["alice", "bob", "carol"]),
        (Some(token), filter(Some(Membership::Join), None), vec!["alice", "bob"]),
        (Some(token), filter(Some(Membership::Invite), Some(Membership::Join)), vec!["carol"]),
    ];
    for (at, filter, expected) in cases {
        let mut pages = reader.members(at, filter).await.expect("members");
        let mut found = BTreeSet::new();
        while let Some(page) = pages.next(&reader).await.expect("a page") {
            found.extend(page.iter().filter_map(|event| event.pdu.state_key().map(ToOwned::to_owned)));
        }
        let expected: BTreeSet<_> = expected.into_iter().map(|name| id(name).to_string()).collect();
        assert_eq!(found, expected, "{filter:?}, at: {}", at.is_some());
    }
}

#[tokio::test]
async fn b4_76_members_at_a_place_that_one_may_not_see() {
    let bed = Bed::new().await;
    let room = Room::new(&bed, RoomVersionId::V12).await;
    room.set_visibility("joined").await;
    room.say("alice", "before bob").await;
    let then = bed.rooms.view(room.number).await.expect("the room").position;
    room.member("bob", "join").await;
    let bob = user("bob");
    let mut reader = bed.rooms.reader(&bob, &room.id).await.expect("a reader");
    let token = reader.token_at(then).await.expect("a token");
    let refused = reader.members(Some(token), MemberFilter::default()).await;
    assert!(matches!(refused, Err(ReadRefusal::NotInRoom)));
    let now = reader.token_at(bed.rooms.core().db.published()).await.expect("a token");
    assert!(reader.members(Some(now), MemberFilter::default()).await.is_ok());
}

#[tokio::test]
async fn b4_79_joined_members_and_rooms_are_for_those_who_are_there() {
    let bed = Bed::new().await;
    let room = Room::new(&bed, RoomVersionId::V12).await;
    room.set_visibility("world_readable").await;
    room.member("bob", "join").await;
    room.member("carol", "invite").await;
    let (bob, carol) = (user("bob"), user("carol"));
    let reader = bed.rooms.reader(&carol, &room.id).await.expect("a reader");
    assert!(matches!(reader.joined_members(), Err(ReadRefusal::NotInRoom)));
    let reader = bed.rooms.reader(&bob, &room.id).await.expect("a reader");
    let mut pages = reader.joined_members().expect("members");
    let page = pages.next(&reader).await.expect("a page").expect("members");
    let users: Vec<_> = page.into_iter().map(|member| member.user).collect();
    assert_eq!(users, [id("alice"), id("bob")]);
    assert_eq!(pages.next(&reader).await.expect("an end"), None);
    assert_eq!(bed.rooms.joined_rooms(&id("bob")).await.expect("rooms"), std::slice::from_ref(&room.id));
    assert!(bed.rooms.joined_rooms(&id("carol")).await.expect("rooms").is_empty());
    room.member("bob", "leave").await;
    assert!(bed.rooms.joined_rooms(&id("bob")).await.expect("rooms").is_empty());
}

#[tokio::test]
async fn stripped_state_is_what_the_specification_lists() {
    let bed = Bed::new().await;
    for rules in &plop_state::version::ALL {
        let room = Room::new(&bed, rules.version.clone()).await;
        room.set("m.room.name", r#"{"name":"Tea \"and\" cake"}"#).await;
        room.set("m.room.encryption", r#"{"algorithm":"m.megolm.v1.aes-sha2"}"#).await;
        room.set("org.example.private", r#"{"for":"members"}"#).await;
        let view = bed.rooms.view(room.number).await.expect("the room");
        let events: Vec<Value> =
            stripped_state(&view).iter().map(|text| serde_json::from_str(text).expect("JSON")).collect();
        let types: Vec<_> = events.iter().map(|event| event["type"].as_str().expect("a type")).collect();
        assert_eq!(types, ["m.room.create", "m.room.name", "m.room.join_rules", "m.room.encryption"]);
        assert_eq!(events[1]["content"]["name"], "Tea \"and\" cake");
        for event in &events {
            let names: Vec<_> = event.as_object().expect("an object").keys().collect();
            assert_eq!(names, ["content", "sender", "state_key", "type"]);
        }
    }
}

#[tokio::test]
async fn a_context_has_the_state_after_its_last_event() {
    let bed = Bed::new().await;
    let room = Room::new(&bed, RoomVersionId::V12).await;
    room.set("m.room.topic", r#"{"topic":"one"}"#).await;
    let target = room.say("alice", "here").await;
    room.set("m.room.topic", r#"{"topic":"two"}"#).await;
    room.set("m.room.topic", r#"{"topic":"three"}"#).await;
    let alice = user("alice");
    let (mut reader, event) = bed.rooms.reader_of_event(&alice, &room.id, &target).await.expect("the event");
    for (limit, topic, around) in [(0, "one", (0, 0)), (2, "two", (1, 1)), (4, "three", (2, 2))] {
        let context = reader.context(event.clone(), limit, |_| true).await.expect("a context");
        assert_eq!((context.before.events.len(), context.after.events.len()), around);
        let key = [StateKey::new("m.room.topic", "")];
        let state = reader.state_events(context.state, &key).await.expect("a topic");
        assert!(state[0].pdu.content_text().contains(topic), "limit {limit}");
        let request = PageRequest {
            from: Some(context.before.reached),
            to: Some(context.after.reached),
            direction: Direction::Forward,
            limit: 100,
        };
        let between = reader.history(request, |_| true).await.expect("a page");
        assert_eq!(between.events.len(), around.0 + 1 + around.1, "its tokens enclose it");
    }
}
