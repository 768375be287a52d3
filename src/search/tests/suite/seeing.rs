//! Hostile input, row 84: what a user may not see is not found, nor counted.

use plop_accounts::account_data::Subject;
use plop_bed::{id, json, user};
use plop_search::{Ask, Order};
use ruma::OwnedEventId;
use serde_json::json as value;

use crate::bed::{Bed, ask};

const NOTHING: [OwnedEventId; 0] = [];

#[tokio::test(start_paused = true)]
async fn row_84_a_private_room_is_for_those_who_are_in_it() {
    let bed = Bed::new().await;
    let room = bed.den("alice").await;
    bed.say("alice", &room, "secret").await;
    assert_eq!(bed.found("bob", "secret").await, NOTHING);
    let named = bed.find("bob", &Ask { rooms: Some(vec![room.clone()]), ..ask("secret") }).await;
    assert_eq!((named.hits.len(), named.count), (0, 0));
    bed.rooms.invite(&user("alice"), &room, &id("bob"), &json("{}")).await.expect("an invite");
    assert_eq!(bed.found("bob", "secret").await, NOTHING, "invited is not in");
    bed.leave("bob", &room).await;
    assert_eq!(bed.found("bob", "secret").await, NOTHING, "never was in");
}

#[tokio::test(start_paused = true)]
async fn row_84_what_was_before_the_join_and_after_the_departure() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    bed.set("alice", &room, "m.room.history_visibility", r#"{"history_visibility":"joined"}"#).await;
    bed.say("alice", &room, "word before").await;
    bed.join("bob", &room).await;
    let meanwhile = bed.say("alice", &room, "word meanwhile").await;
    bed.leave("bob", &room).await;
    bed.say("alice", &room, "word after").await;
    for order in [Order::Rank, Order::Recent] {
        let found = bed.find("bob", &Ask { order, ..ask("word") }).await;
        assert_eq!(
            (crate::bed::ids(&found), found.count),
            (vec![meanwhile.clone()], 1),
            "nor is the rest counted"
        );
    }
    assert_eq!(bed.found("alice", "word").await.len(), 3);
    bed.rooms.forget(&user("bob"), &room).await.expect("forgotten");
    assert_eq!(bed.found("bob", "word").await, NOTHING);
}

#[tokio::test(start_paused = true)]
async fn row_52_and_84_what_was_redacted() {
    let bed = Bed::new().await;
    let room = bed.den("alice").await;
    let kept = bed.say("alice", &room, "this is not going to be redacted").await;
    let gone = bed.say("alice", &room, "this is going to be redacted").await;
    assert_eq!(bed.found("alice", "redacted").await.len(), 2);
    bed.redact("alice", &room, &gone).await;
    for order in [Order::Rank, Order::Recent] {
        let found = bed.find("alice", &Ask { order, ..ask("redacted") }).await;
        assert_eq!((crate::bed::ids(&found), found.count), (vec![kept.clone()], 1));
    }
    assert_eq!(bed.search.events(), 1, "it is not in the index either");
    // Redacted before it was looked at.
    let gone = bed.say("alice", &room, "another redacted one").await;
    bed.redact("alice", &room, &gone).await;
    assert_eq!(bed.found("alice", "another").await, NOTHING);
    assert_eq!(bed.search.events(), 1);
}

#[tokio::test(start_paused = true)]
async fn row_84_what_ignored_users_sent() {
    let bed = Bed::new().await;
    bed.register(&["alice", "bob"]).await;
    let room = bed.room("alice").await;
    bed.join("bob", &room).await;
    bed.say("bob", &room, "spam").await;
    assert_eq!(bed.found("alice", "spam").await.len(), 1);
    let list = value!({ "ignored_users": { "@bob:plop.example": {} } });
    let list = list.as_object().expect("an object").clone();
    let alice = id("alice");
    let subject = Subject { user: &alice, room: None, kind: "m.ignored_user_list" };
    bed.accounts.set_account_data(&user("alice"), &subject, &list).await.expect("a list");
    assert_eq!(bed.found("alice", "spam").await, NOTHING);
    assert_eq!(bed.found("bob", "spam").await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_erased_users_sent_is_for_those_who_had_it() {
    let bed = Bed::new().await;
    bed.register(&["alice", "bob", "carol"]).await;
    let room = bed.room("alice").await;
    bed.join("bob", &room).await;
    bed.say("bob", &room, "confession").await;
    plop_bed::deactivate(&bed.accounts, &user("bob"), true).await.expect("the end");
    bed.join("carol", &room).await;
    assert_eq!(bed.found("alice", "confession").await.len(), 1, "she was there");
    let found = bed.find("carol", &ask("confession")).await;
    assert_eq!((found.hits.len(), found.count), (0, 0));
}
