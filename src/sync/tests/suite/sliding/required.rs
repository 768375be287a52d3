//! State that goes with a room.

use std::collections::BTreeSet;

use plop_sync::sliding::request::Dialect;
use plop_sync::sliding::required_state::MEMBER;
use serde_json::{Value, json as value};

use super::bed::{Slider, rooms, state, wishes};
use crate::bed::{Bed, id, json};

fn pairs(list: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    list.iter().map(|(kind, key)| ((*kind).to_owned(), (*key).to_owned())).collect()
}

/// What Element X asks for, more or less.
#[tokio::test(start_paused = true)]
async fn members_come_with_the_events_that_need_them() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    for name in ["bob", "carol", "dave"] {
        bed.join(name, &room).await;
    }
    bed.say("bob", &room, "hello").await;
    let mut alice = Slider::new(&bed, "alice", 20);
    alice.list().config.state = wishes(&[
        (MEMBER, "lazy"),
        (MEMBER, "@alice:plop.example"),
        ("m.room.name", ""),
        ("m.call.member", "*"),
    ]);
    let members = |answer: &Value| state(&answer["rooms"][room.as_str()]);
    let (own, bob, carol) =
        ((MEMBER, "@alice:plop.example"), (MEMBER, "@bob:plop.example"), (MEMBER, "@carol:plop.example"));
    assert_eq!(members(&alice.next().await), pairs(&[own, bob]));
    bed.say("bob", &room, "again").await;
    assert_eq!(members(&alice.next().await), pairs(&[]), "the client has it");
    bed.say("carol", &room, "me too").await;
    assert_eq!(members(&alice.next().await), pairs(&[carol]));
    bed.join("erin", &room).await;
    assert_eq!(members(&alice.next().await), pairs(&[(MEMBER, "@erin:plop.example")]));
    bed.send("alice", &room, "m.call.member", Some("_bob"), json("{}")).await;
    assert_eq!(members(&alice.next().await), pairs(&[("m.call.member", "_bob")]));
    let mut whole = alice.clone().named("fresh");
    whole.request.pos = None;
    assert_eq!(members(&whole.next().await), pairs(&[own, ("m.call.member", "_bob")]));
}

#[tokio::test(start_paused = true)]
async fn everything_may_be_asked_for() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    for name in ["bob", "carol"] {
        bed.join(name, &room).await;
    }
    let count = async |patterns: &[(&str, &str)]| {
        let mut alice = Slider::new(&bed, "alice", 20);
        alice.list().config.state = wishes(patterns);
        let answer = alice.next().await;
        let room = &answer["rooms"][room.as_str()];
        let events = room["required_state"].as_array().map_or(0, Vec::len);
        assert_eq!(events, state(room).len(), "each once");
        state(room)
    };
    let all = count(&[("*", "*")]).await;
    let members = count(&[(MEMBER, "*")]).await;
    assert_eq!(members.len(), 3);
    assert!(members.is_subset(&all) && all.len() > members.len() + 4);
    let lazily = count(&[("*", "*"), (MEMBER, "lazy")]).await;
    assert_eq!(lazily.iter().filter(|(kind, _)| kind == MEMBER).count(), 1, "who sent the last event");
    assert_eq!(lazily.len(), all.len() - 2);
    let named = count(&[("*", ""), (MEMBER, "@bob:plop.example")]).await;
    assert_eq!(named.len(), all.len() - 2);
    assert_eq!(count(&[]).await, BTreeSet::new());
}

#[tokio::test(start_paused = true)]
async fn what_is_wanted_more_comes_at_once() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    bed.set("alice", &room, "m.room.topic", r#"{"topic":"t"}"#).await;
    let mut alice = Slider::new(&bed, "alice", 20);
    alice.next().await;
    let of = |answer: &Value| state(&answer["rooms"][room.as_str()]);
    alice.list().config.state = wishes(&[("m.room.create", ""), ("m.room.topic", "")]);
    assert_eq!(of(&alice.next().await), pairs(&[("m.room.topic", "")]));
    assert_eq!(rooms(&alice.next().await), BTreeSet::new());
    // Less is no news, and what was not wanted for a while comes when it is again.
    alice.list().config.state = wishes(&[("m.room.create", "")]);
    assert_eq!(rooms(&alice.next().await), BTreeSet::new());
    bed.set("alice", &room, "m.room.topic", r#"{"topic":"u"}"#).await;
    assert_eq!(of(&alice.next().await), pairs(&[]));
    alice.list().config.state = wishes(&[("m.room.create", ""), ("m.room.topic", "")]);
    let answer = alice.next().await;
    assert_eq!(answer["rooms"][room.as_str()]["required_state"][0]["content"], value!({"topic": "u"}));
}

#[tokio::test(start_paused = true)]
async fn state_that_changed_out_of_sight_comes() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    let mut alice = Slider::new(&bed, "alice", 20);
    alice.list().config.state = wishes(&[("m.room.topic", "")]);
    alice.next().await;
    bed.set("alice", &room, "m.room.topic", r#"{"topic":"t"}"#).await;
    for number in 0..3 {
        bed.say("alice", &room, &number.to_string()).await;
    }
    let answer = alice.next().await;
    let told_of = &answer["rooms"][room.as_str()];
    assert_eq!(state(told_of), pairs(&[("m.room.topic", "")]));
    assert_eq!(told_of["limited"], true);
}

#[tokio::test(start_paused = true)]
async fn the_accepted_dialect_has_its_own_words() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    let other = bed.room("bob").await;
    bed.rooms
        .invite(&crate::bed::user("bob"), &other, &id("alice"), &plop_state::json::Object::new())
        .await
        .expect("an invite");
    let mut alice = Slider::new(&bed, "alice", 20);
    alice.request.dialect = Dialect::Accepted;
    let answer = alice.next().await;
    let told_of = &answer["rooms"][room.as_str()];
    assert_eq!((&told_of["membership"], &told_of["lists"]), (&value!("join"), &value!(["all"])));
    assert!(told_of["timeline_events"].is_array() && told_of["timeline"].is_null());
    assert_eq!(told_of["notification_count"], value!(null));
    let invited = &answer["rooms"][other.as_str()];
    assert_eq!(invited["membership"], "invite");
    assert!(invited["stripped_state"].is_array() && invited["invite_state"].is_null());
    bed.set("alice", &room, "m.room.name", r#"{"name":"Tea"}"#).await;
    assert_eq!(alice.next().await["rooms"][room.as_str()]["name"], "Tea");
    bed.set("alice", &room, "m.room.name", "{}").await;
    let answer = alice.next().await;
    let told_of = answer["rooms"][room.as_str()].as_object().expect("the room");
    assert!(told_of.contains_key("name") && told_of["name"].is_null());
    alice.list().config.timeline_limit = 5;
    assert_eq!(alice.next().await["rooms"][room.as_str()]["expanded_timeline"], true);
}
