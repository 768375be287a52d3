//! Account data of the user and of rooms.

use plop_db::Position;
use plop_sync::SyncRequest;
use ruma::push::RuleKind;
use serde_json::{Value, json as value};

use crate::bed::{Bed, id, json, keys, text, user};

#[tokio::test(start_paused = true)]
async fn account_data_comes_with_the_first_answer_and_when_it_changes() {
    let bed = Bed::new().await;
    bed.register("alice").await;
    let room = bed.room("alice").await;
    bed.set_account_data("alice", None, "org.example.setting", json(r#"{"a":1}"#)).await;
    bed.set_account_data("alice", Some(&room), "m.tag", json(r#"{"tags":{"m.favourite":{}}}"#)).await;
    let mut alice = bed.client("alice");
    let first = alice.sync().await;
    assert_eq!(
        first["account_data"]["events"],
        value!([{"type": "org.example.setting", "content": {"a": 1}}])
    );
    let tag = value!([{"type": "m.tag", "content": {"tags": {"m.favourite": {}}}}]);
    assert_eq!(first["rooms"]["join"][room.as_str()]["account_data"]["events"], tag);
    assert_eq!(keys(&alice.sync().await), ["next_batch"]);

    bed.set_account_data("alice", None, "org.example.setting", json(r#"{"a":2}"#)).await;
    bed.set_account_data("alice", None, "org.example.setting", json(r#"{"a":3}"#)).await;
    let answer = alice.sync().await;
    assert_eq!(
        answer["account_data"]["events"],
        value!([{"type": "org.example.setting", "content": {"a": 3}}])
    );
    assert_eq!(answer["rooms"], value!(null));

    bed.set_account_data("alice", Some(&room), "org.example.room", json("{}")).await;
    let answer = alice.sync().await;
    assert_eq!(keys(&answer), ["next_batch", "rooms"]);
    assert_eq!(keys(&answer["rooms"]["join"][room.as_str()]), ["account_data"]);
}

/// Hostile input, row 87.
#[tokio::test(start_paused = true)]
async fn nobody_gets_the_account_data_of_others() {
    let bed = Bed::new().await;
    bed.register("alice").await;
    let room = bed.room("alice").await;
    bed.join("bob", &room).await;
    let mut bob = bed.client("bob");
    bob.sync().await;
    bed.set_account_data("alice", Some(&room), "m.tag", json(r#"{"tags":{"u.secret":{}}}"#)).await;
    bed.set_account_data("alice", None, "org.example", json(r#"{"secret":1}"#)).await;
    assert_eq!(keys(&bob.sync().await), ["next_batch"]);
    assert!(!bed.client("bob").sync().await.to_string().contains("secret"));
}

#[tokio::test(start_paused = true)]
async fn account_data_of_a_left_room_comes_with_the_leave() {
    let bed = Bed::new().await;
    bed.register("bob").await;
    let room = bed.room("alice").await;
    bed.join("bob", &room).await;
    let mut bob = bed.client("bob");
    bob.sync().await;
    bed.set_account_data("bob", Some(&room), "m.tag", json(r#"{"tags":{}}"#)).await;
    bed.leave("bob", &room).await;
    let answer = bob.sync().await;
    let left = &answer["rooms"]["leave"][room.as_str()];
    assert_eq!(left["account_data"]["events"], value!([{"type": "m.tag", "content": {"tags": {}}}]));
}

#[tokio::test(start_paused = true)]
async fn push_rules_are_told_as_they_are() {
    let bed = Bed::new().await;
    bed.register("alice").await;
    let rules = async |since: Option<String>| {
        let request = SyncRequest { since, ..SyncRequest::default() };
        let answer = bed.sync.sync(&user("alice"), &request).await.expect("an answer");
        let next = answer.next_batch().to_owned();
        let answer: Value = serde_json::from_str(&text(answer).await).expect("JSON");
        let events = answer["account_data"]["events"].as_array().cloned().unwrap_or_default();
        let told = events.into_iter().find(|event| event["type"] == "m.push_rules");
        (next, told.map(|event| event["content"]["global"].clone()))
    };
    let (since, first) = rules(None).await;
    let first = first.expect("everybody has some");
    assert!(first["override"].as_array().is_some_and(|rules| rules.len() > 3));
    let (since, none) = rules(Some(since)).await;
    assert_eq!(none, None);
    let (actor, id) = (user("alice"), id("alice"));
    let changed = bed.accounts.set_push_rule_enabled(&actor, &id, RuleKind::Override, ".m.rule.master", true);
    changed.await.expect("a change");
    let (_, second) = rules(Some(since)).await;
    let second = second.expect("it changed");
    assert_eq!(second["override"].as_array().map(Vec::len), first["override"].as_array().map(Vec::len));
    assert_ne!(second, first);
}

/// More changes than are read at once, all of them told.
#[tokio::test(start_paused = true)]
async fn many_changes_at_once_are_all_told() {
    let bed = Bed::new().await;
    bed.register("alice").await;
    let mut alice = bed.client("alice");
    alice.sync().await;
    assert!(bed.db.published() > Position::START);
    for number in 0..1_100 {
        bed.set_account_data("alice", None, &format!("org.example.{number}"), json("{}")).await;
    }
    let answer = alice.sync().await;
    assert_eq!(answer["account_data"]["events"].as_array().map(Vec::len), Some(1_100));
    assert_eq!(keys(&alice.sync().await), ["next_batch"]);
}

#[tokio::test(start_paused = true)]
async fn messages_of_somebody_ignored_are_left_out_and_state_is_not() {
    let bed = Bed::new().await;
    bed.register("bob").await;
    let room = bed.room("alice").await;
    bed.join("bob", &room).await;
    let mut bob = bed.client("bob");
    bob.sync().await;
    let list = json(r#"{"ignored_users":{"@alice:plop.example":{}}}"#);
    bed.set_account_data("bob", None, "m.ignored_user_list", list).await;
    bed.say("alice", &room, "unheard").await;
    bed.set("alice", &room, "m.room.topic", r#"{"topic":"seen"}"#).await;
    let answer = bob.sync().await;
    let events = &answer["rooms"]["join"][room.as_str()]["timeline"]["events"];
    assert_eq!(crate::bed::told(events), ["m.room.topic"]);
    bed.set_account_data("bob", None, "m.ignored_user_list", json(r#"{"ignored_users":{}}"#)).await;
    bed.say("alice", &room, "heard").await;
    let answer = bob.sync().await;
    let events = &answer["rooms"]["join"][room.as_str()]["timeline"]["events"];
    assert_eq!(crate::bed::told(events), ["heard"]);
}
