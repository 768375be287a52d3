//! What of a room comes: whole at first, then what changed.

use std::collections::BTreeSet;

use plop_ephemeral::{ReceiptKind, Thread};
use plop_state::json::Object;
use serde_json::json as value;

use super::bed::{Slider, config, rooms};
use crate::bed::{Bed, id, json, keys, told, user};
use crate::ephemeral::read;

#[tokio::test(start_paused = true)]
async fn a_message_comes_with_what_it_changes_and_no_more() {
    let bed = Bed::new().await;
    for name in ["alice", "bob"] {
        bed.register(name).await;
    }
    let room = bed.room("alice").await;
    bed.join("bob", &room).await;
    let mut bob = Slider::new(&bed, "bob", 20);
    let first = bob.next().await;
    assert_eq!(first["rooms"][room.as_str()]["notification_count"], 0);
    let last = bed.say("alice", &room, "hello").await;
    let answer = bob.next().await;
    let told_of = &answer["rooms"][room.as_str()];
    let expected = [
        "bump_stamp",
        "highlight_count",
        "limited",
        "notification_count",
        "num_live",
        "prev_batch",
        "timeline",
    ];
    assert_eq!(keys(told_of), expected);
    assert_eq!(told(&told_of["timeline"]), ["hello"]);
    assert_eq!((&told_of["limited"], &told_of["num_live"]), (&value!(false), &value!(1)));
    assert_eq!(told_of["notification_count"], 1);
    read(&bed, "bob", &room, &last, ReceiptKind::Private, Thread::Unthreaded).await;
    let answer = bob.next().await;
    let expected = value!({"notification_count": 0, "highlight_count": 0});
    assert_eq!(answer["rooms"][room.as_str()], expected, "the other device has read it");
}

#[tokio::test(start_paused = true)]
async fn a_stamp_follows_talk_and_not_other_events() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    let mut alice = Slider::new(&bed, "alice", 20);
    let stamp =
        |answer: &serde_json::Value| answer["rooms"][room.as_str()]["bump_stamp"].as_u64().expect("a stamp");
    let first = stamp(&alice.next().await);
    bed.set("alice", &room, "m.room.topic", r#"{"topic":"t"}"#).await;
    assert_eq!(stamp(&alice.next().await), first);
    bed.say("alice", &room, "talk").await;
    let talked = stamp(&alice.next().await);
    assert!(talked > first);
    bed.join("bob", &room).await;
    assert_eq!(stamp(&alice.next().await), talked);
    assert_eq!(stamp(&Slider::new(&bed, "alice", 1).next().await), talked);
}

#[tokio::test(start_paused = true)]
async fn a_longer_timeline_comes_at_once() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    for number in 0..30 {
        bed.say("alice", &room, &number.to_string()).await;
    }
    let mut alice = Slider::new(&bed, "alice", 20);
    assert_eq!(told(&alice.next().await["rooms"][room.as_str()]["timeline"]), ["29"]);
    bed.say("alice", &room, "new").await;
    alice.subscribe(&room, config(20, &[("m.room.create", "")]));
    let answer = alice.next().await;
    let told_of = &answer["rooms"][room.as_str()];
    let timeline = told(&told_of["timeline"]);
    assert_eq!(
        (timeline.len(), timeline.first(), timeline.last()),
        (20, Some(&"11".to_owned()), Some(&"new".to_owned()))
    );
    assert_eq!(told_of["unstable_expanded_timeline"], true);
    assert_eq!((&told_of["num_live"], &told_of["limited"]), (&value!(1), &value!(true)));
    assert_eq!(told_of["initial"], value!(null));
    assert_eq!(told_of["required_state"], value!(null), "the client has it");
    // A shorter one again changes nothing, and neither does the longer one while the room is quiet.
    let subscriptions = std::mem::take(&mut alice.request.subscriptions);
    assert_eq!(rooms(&alice.next().await), BTreeSet::new());
    alice.request.subscriptions = subscriptions;
    assert_eq!(rooms(&alice.next().await), BTreeSet::new());
}

#[tokio::test(start_paused = true)]
async fn more_than_fits_is_limited() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    let mut alice = Slider::new(&bed, "alice", 20);
    alice.list().config.timeline_limit = 3;
    alice.next().await;
    for number in 0..5 {
        bed.say("alice", &room, &number.to_string()).await;
    }
    let answer = alice.next().await;
    let told_of = &answer["rooms"][room.as_str()];
    assert_eq!(told(&told_of["timeline"]), ["2", "3", "4"]);
    assert_eq!((&told_of["limited"], &told_of["num_live"]), (&value!(true), &value!(3)));
    bed.say("alice", &room, "5").await;
    assert_eq!(alice.next().await["rooms"][room.as_str()]["limited"], false);
}

#[tokio::test(start_paused = true)]
async fn a_room_is_called_by_its_name_or_by_heroes() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    bed.join("bob", &room).await;
    let mut bob = Slider::new(&bed, "bob", 20);
    let first = bob.next().await;
    let told_of = &first["rooms"][room.as_str()];
    assert_eq!(told_of["heroes"], value!([{"user_id": "@alice:plop.example"}]));
    assert_eq!((&told_of["name"], &told_of["avatar"]), (&value!(null), &value!(null)));
    bed.set("alice", &room, "m.room.name", r#"{"name":"Tea"}"#).await;
    bed.set("alice", &room, "m.room.avatar", r#"{"url":"mxc://a/b"}"#).await;
    let answer = bob.next().await;
    let told_of = &answer["rooms"][room.as_str()];
    assert_eq!((&told_of["name"], &told_of["avatar"]), (&value!("Tea"), &value!("mxc://a/b")));
    assert_eq!(told_of["heroes"], value!(null));
    bed.set("alice", &room, "m.room.name", "{}").await;
    bed.set("alice", &room, "m.room.avatar", "{}").await;
    let answer = bob.next().await;
    let told_of = answer["rooms"][room.as_str()].as_object().expect("the room");
    assert!(told_of.contains_key("avatar") && told_of["avatar"].is_null());
    assert!(!told_of.contains_key("name") && told_of.contains_key("heroes"));
    let without = {
        let mut bob = Slider::new(&bed, "bob", 20);
        bob.list().config.heroes = false;
        bob.next().await
    };
    assert_eq!(without["rooms"][room.as_str()]["heroes"], value!(null));
}

#[tokio::test(start_paused = true)]
async fn a_direct_chat_is_said_to_be_one() {
    let bed = Bed::new().await;
    bed.register("alice").await;
    let room = bed.room("alice").await;
    let mut alice = Slider::new(&bed, "alice", 20);
    let is_dm = |answer: &serde_json::Value| answer["rooms"][room.as_str()]["is_dm"].clone();
    assert_eq!(is_dm(&alice.next().await), value!(null));
    let directs = json(&format!(r#"{{"@bob:plop.example":["{room}"]}}"#));
    bed.set_account_data("alice", None, "m.direct", directs).await;
    let answer = alice.next().await;
    assert_eq!(answer["rooms"], value!({ room.as_str(): {"is_dm": true} }));
    assert_eq!(is_dm(&Slider::new(&bed, "alice", 20).named("fresh").next().await), value!(true));
    bed.set_account_data("alice", None, "m.direct", Object::new()).await;
    assert_eq!(is_dm(&alice.next().await), value!(false));
}

#[tokio::test(start_paused = true)]
async fn the_messages_of_ignored_users_do_not_come() {
    let bed = Bed::new().await;
    for name in ["alice", "bob"] {
        bed.register(name).await;
    }
    let room = bed.room("alice").await;
    bed.join("bob", &room).await;
    let ignored = json(r#"{"ignored_users":{"@bob:plop.example":{}}}"#);
    bed.set_account_data("alice", None, "m.ignored_user_list", ignored).await;
    let mut alice = Slider::new(&bed, "alice", 20);
    alice.next().await;
    bed.say("bob", &room, "psst").await;
    let answer = alice.next().await;
    assert!(!answer.to_string().contains("psst"), "{answer}");
    let invited = bed.room("bob").await;
    bed.rooms.invite(&user("bob"), &invited, &id("alice"), &Object::new()).await.expect("an invite");
    assert_eq!(rooms(&alice.next().await), BTreeSet::new());
}

#[tokio::test(start_paused = true)]
async fn only_rooms_of_the_user_can_be_subscribed_to() {
    let bed = Bed::new().await;
    bed.room("alice").await;
    let other = bed.room("bob").await;
    bed.say("bob", &other, "secret").await;
    let mut alice = Slider::new(&bed, "alice", 20);
    alice.request.lists.clear();
    alice.subscribe(&other, config(10, &[("*", "*")]));
    alice.subscribe(ruma::room_id!("!nowhere:plop.example"), config(10, &[("*", "*")]));
    assert_eq!(rooms(&alice.next().await), BTreeSet::new());
    bed.join("alice", &other).await;
    let answer = alice.next().await;
    assert_eq!(rooms(&answer), BTreeSet::from([other.as_str()]));
}
