//! Threads: what is told of them, in which order they stand.

use plop_rooms::ops::send::SendEvent;
use plop_rooms::reader::threads::IncludeThreads;
use serde_json::{Value, json};

use super::{ALL, Asked, Scene};
use crate::suite::bed::{json as object, user};

#[tokio::test(start_paused = true)]
async fn a_thread_is_told_with_its_latest_event() {
    let scene = Scene::new().await;
    let root = scene.say("alice").await;
    scene.relate("bob", "m.thread", &root).await;
    let two = scene.relate("bob", "m.thread", &root).await;
    let edit = scene.edit("bob", &two).await;
    let thread = async |name: &str| scene.bundle(name, &root).await["m.thread"].clone();
    let told = thread("alice").await;
    assert_eq!((&told["count"], &told["current_user_participated"]), (&json!(2), &json!(true)));
    assert_eq!(told["latest_event"]["event_id"], json!(two));
    let nested = &told["latest_event"]["unsigned"]["m.relations"]["m.replace"]["event_id"];
    assert_eq!(*nested, json!(edit), "what is told of the latest event is told in it");
    scene.bed.rooms.join(&user("carol"), &scene.room, &object("{}")).await.expect("a join");
    assert_eq!(thread("carol").await["current_user_participated"], false);
    scene.relate("carol", "m.thread", &root).await;
    assert_eq!(thread("carol").await["current_user_participated"], true);
    let scene = scene.restarted().await;
    scene.redact(&two).await;
    let told = scene.bundle("bob", &root).await["m.thread"].clone();
    assert_eq!((&told["count"], told["latest_event"]["event_id"] == json!(two)), (&json!(2), false));
    for event in scene.children("bob", &root, Asked { rel_type: Some("m.thread"), ..ALL }).await {
        scene.redact(&event).await;
    }
    assert_eq!(scene.bundle("bob", &root).await, Value::Null);
    assert!(scene.threads("bob", IncludeThreads::All, 5).await.is_empty());
    let again = scene.relate("bob", "m.thread", &root).await;
    assert_eq!(scene.bundle("bob", &root).await["m.thread"]["latest_event"]["event_id"], json!(again));
}

#[tokio::test(start_paused = true)]
async fn the_latest_event_falls_back_while_commits_are_in_flight() {
    let scene = Scene::new().await;
    let root = scene.say("alice").await;
    let mut replies = Vec::new();
    for _ in 0..100 {
        replies.push(scene.relate("bob", "m.thread", &root).await);
    }
    let first = replies.remove(0);
    let redactions = replies.iter().rev().map(|event| scene.redact(event));
    futures_util::future::join_all(redactions).await;
    let told = scene.bundle("bob", &root).await["m.thread"].clone();
    assert_eq!((&told["count"], &told["latest_event"]["event_id"]), (&json!(1), &json!(first)));
    assert_eq!(scene.threads("bob", IncludeThreads::All, 5).await, [(json!(root), json!(first))]);
}

#[tokio::test(start_paused = true)]
async fn threads_stand_in_the_order_of_their_latest_events() {
    let scene = Scene::new().await;
    let mut roots = Vec::new();
    for name in ["alice", "bob", "alice"] {
        roots.push(scene.say(name).await);
    }
    let mut latest = Vec::new();
    for root in &roots {
        latest.push(scene.relate("alice", "m.thread", root).await);
    }
    let pair = |at: usize| (json!(roots[at]), json!(latest[at]));
    for limit in [1, 2, 9] {
        let found = scene.threads("alice", IncludeThreads::All, limit).await;
        assert_eq!(found, [pair(2), pair(1), pair(0)], "{limit}");
    }
    assert_eq!(scene.threads("bob", IncludeThreads::Participated, 1).await, [pair(1)]);
    let newest = scene.relate("bob", "m.thread", &roots[0]).await;
    let found = scene.threads("bob", IncludeThreads::Participated, 1).await;
    assert_eq!(found, [(json!(roots[0]), json!(newest)), pair(1)]);
    assert_eq!(scene.threads("bob", IncludeThreads::All, 9).await.len(), 3);
    scene.redact(&newest).await;
    assert_eq!(scene.threads("bob", IncludeThreads::All, 9).await, [pair(2), pair(1), pair(0)]);
}

/// Who came after a thread began is told of what they see, whether they see the latest event of it or not.
#[tokio::test(start_paused = true)]
async fn who_sees_a_part_of_a_thread_is_told_of_that_part() {
    let scene = Scene::new().await;
    let visibility = SendEvent {
        kind: "m.room.history_visibility".to_owned(),
        state_key: Some(String::new()),
        content: object(r#"{"history_visibility":"joined"}"#),
        transaction: None,
        ts: None,
    };
    scene.bed.rooms.send(&user("alice"), &scene.room, &visibility).await.expect("a state");
    let join = async |name: &str| {
        scene.bed.rooms.join(&user(name), &scene.room, &object("{}")).await.expect("a join");
    };
    join("carol").await;
    let root = scene.say("alice").await;
    let count = async |name: &str| scene.bundle(name, &root).await["m.thread"]["count"].clone();
    let leave = async |name: &str| {
        scene.bed.rooms.leave(&user(name), &scene.room, &object("{}")).await.expect("a departure");
    };
    leave("carol").await;
    for _ in 0..3 {
        scene.relate("bob", "m.thread", &root).await;
    }
    assert_eq!((count("bob").await, count("carol").await), (json!(3), Value::Null));
    join("carol").await;
    assert_eq!(count("carol").await, Value::Null, "she sees the root alone");
    let seen = scene.relate("bob", "m.thread", &root).await;
    assert_eq!((count("bob").await, count("carol").await), (json!(4), json!(1)));
    assert_eq!(scene.threads("carol", IncludeThreads::All, 5).await, [(json!(root), json!(seen))]);
    leave("carol").await;
    scene.relate("bob", "m.thread", &root).await;
    assert_eq!((count("bob").await, count("carol").await), (json!(5), json!(1)));
}
