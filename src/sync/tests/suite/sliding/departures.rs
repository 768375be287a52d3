//! Invites, knocks, and the end of a membership.

use std::collections::BTreeSet;

use plop_state::json::Object;
use plop_sync::sliding::required_state::MEMBER;
use serde_json::{Value, json as value};

use super::bed::{Slider, rooms, state, wishes};
use crate::bed::{Bed, id, told, user};

fn slider<'b>(bed: &'b Bed, name: &str) -> Slider<'b> {
    let mut slider = Slider::new(bed, name, 20);
    slider.list().config.state = wishes(&[(MEMBER, id(name).as_str()), (MEMBER, "lazy")]);
    slider.list().config.timeline_limit = 10;
    slider
}

async fn invite(bed: &Bed, room: &ruma::RoomId, name: &str) {
    bed.rooms.invite(&user("alice"), room, &id(name), &Object::new()).await.expect("an invite");
}

/// The membership in the own member event of the state.
fn membership(room: &Value, name: &str) -> Value {
    let events = room["required_state"].as_array().cloned().unwrap_or_default();
    let own = events.iter().find(|event| event["state_key"] == id(name).as_str());
    own.map_or(Value::Null, |event| event["content"]["membership"].clone())
}

#[tokio::test(start_paused = true)]
async fn an_invite_comes_and_becomes_a_room() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    bed.say("alice", &room, "before").await;
    let mut bob = slider(&bed, "bob");
    assert_eq!(bob.next().await["lists"]["all"]["count"], 0);
    invite(&bed, &room, "bob").await;
    let answer = bob.next().await;
    let invited = &answer["rooms"][room.as_str()];
    let types: BTreeSet<&str> = invited["invite_state"]
        .as_array()
        .expect("state")
        .iter()
        .map(|event| event["type"].as_str().expect("a type"))
        .collect();
    assert!(types.contains("m.room.create") && types.contains(MEMBER), "{types:?}");
    assert_eq!(invited["initial"], true);
    assert!(invited["timeline"].is_null() && invited["required_state"].is_null());
    assert_eq!(rooms(&bob.next().await), BTreeSet::new());
    bed.join("bob", &room).await;
    let answer = bob.next().await;
    let joined = &answer["rooms"][room.as_str()];
    assert_eq!((&joined["initial"], &joined["invite_state"]), (&value!(true), &value!(null)));
    assert_eq!(membership(joined, "bob"), "join");
}

#[tokio::test(start_paused = true)]
async fn who_leaves_is_told_once_and_nothing_after_it() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    bed.join("bob", &room).await;
    let mut bob = slider(&bed, "bob");
    bob.next().await;
    bed.say("alice", &room, "last words").await;
    bed.leave("bob", &room).await;
    bed.say("alice", &room, "secret").await;
    bed.set("alice", &room, "m.room.name", r#"{"name":"secret"}"#).await;
    let answer = bob.next().await;
    let left = &answer["rooms"][room.as_str()];
    assert_eq!(told(&left["timeline"]), ["last words", "m.room.member"]);
    assert_eq!(membership(left, "bob"), "leave");
    assert!(!answer.to_string().contains("secret"), "{answer}");
    let answer = bob.next().await;
    assert_eq!((rooms(&answer), &answer["lists"]["all"]["count"]), (BTreeSet::new(), &value!(0)));
    // A new connection knows nothing of it.
    assert_eq!(rooms(&slider(&bed, "bob").named("fresh").next().await), BTreeSet::new());
    bed.join("bob", &room).await;
    assert_eq!(bob.next().await["rooms"][room.as_str()]["initial"], true);
}

#[tokio::test(start_paused = true)]
async fn who_is_kicked_or_banned_is_told_on_every_connection() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    bed.join("bob", &room).await;
    let mut bob = slider(&bed, "bob");
    bob.next().await;
    bed.rooms.ban(&user("alice"), &room, &id("bob"), &Object::new()).await.expect("a ban");
    bed.say("alice", &room, "secret").await;
    for mut client in [bob, slider(&bed, "bob").named("fresh")] {
        let answer = client.next().await;
        let banned = &answer["rooms"][room.as_str()];
        assert_eq!(membership(banned, "bob"), "ban");
        assert!(!answer.to_string().contains("secret"), "{answer}");
        let answer = client.next().await;
        assert_eq!((rooms(&answer), &answer["lists"]["all"]["count"]), (BTreeSet::new(), &value!(1)));
    }
    // Somebody who never was in the room is not concerned.
    bed.rooms.ban(&user("alice"), &room, &id("carol"), &Object::new()).await.expect("a ban");
    assert_eq!(rooms(&slider(&bed, "carol").next().await), BTreeSet::new());
}

#[tokio::test(start_paused = true)]
async fn an_invite_that_ends_is_told_to_who_has_it() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    let mut bob = slider(&bed, "bob");
    bob.next().await;
    invite(&bed, &room, "bob").await;
    bob.next().await;
    bed.leave("bob", &room).await;
    bed.say("alice", &room, "secret").await;
    let answer = bob.next().await;
    let ended = &answer["rooms"][room.as_str()];
    assert_eq!(membership(ended, "bob"), "leave");
    assert_eq!(state(ended).len(), 1);
    assert!(!answer.to_string().contains("secret"), "{answer}");
    assert_eq!(bob.next().await["lists"]["all"]["count"], 0);
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_room_is_gone() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    bed.join("bob", &room).await;
    let mut bob = slider(&bed, "bob");
    bob.next().await;
    bed.leave("bob", &room).await;
    bed.rooms.forget(&user("bob"), &room).await.expect("forgotten");
    let answer = bob.next().await;
    assert_eq!(rooms(&answer), BTreeSet::from([room.as_str()]));
    assert_eq!(answer["rooms"][room.as_str()]["timeline"], value!(null));
    assert_eq!(rooms(&bob.next().await), BTreeSet::new());
}
