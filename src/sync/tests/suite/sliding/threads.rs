//! The extension of thread subscriptions.

use std::collections::BTreeSet;
use std::time::Duration;

use plop_accounts::thread_subscriptions::{
    End, Subscribe, ThreadSubscriptionToken, UserThread, thread_subscription_changes,
};
use ruma::{EventId, OwnedEventId, RoomId, room_id};
use serde_json::{Value, json as value};

use super::bed::Slider;
use crate::bed::{Bed, id, user};

fn room() -> &'static RoomId {
    room_id!("!r:plop.example")
}

fn root(name: &str) -> OwnedEventId {
    EventId::parse(format!("${name}")).expect("an id")
}

async fn subscribe(bed: &Bed, names: &[&str]) {
    for name in names {
        let thread = UserThread { user: &id("alice"), room: room(), root: &root(name) };
        let done = bed.accounts.subscribe_to_thread(&user("alice"), thread, Subscribe::Manually).await;
        done.expect("subscribed");
    }
}

async fn unsubscribe(bed: &Bed, name: &str) {
    let thread = UserThread { user: &id("alice"), room: room(), root: &root(name) };
    bed.accounts.unsubscribe_from_thread(&user("alice"), thread).await.expect("unsubscribed");
}

/// A client that asks for so many changes, and got none yet.
async fn begun(bed: &Bed, limit: usize) -> Slider<'_> {
    let mut alice = Slider::new(bed, "alice", 20);
    alice.request.extensions.thread_subscriptions = Some(limit);
    assert_eq!(extension(&alice.next().await), Value::Null);
    alice
}

fn extension(answer: &Value) -> Value {
    answer["extensions"]["io.element.msc4308.thread_subscriptions"].clone()
}

/// The threads that are told of, by what is told.
fn threads(answer: &Value, kind: &str) -> BTreeSet<String> {
    let of_room = extension(answer)[kind][room().as_str()].as_object().cloned().unwrap_or_default();
    of_room.keys().map(|root| root.trim_start_matches('$').to_owned()).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_change_ends_the_wait_and_is_told_once() {
    let bed = Bed::new().await;
    bed.register("alice").await;
    let mut alice = begun(&bed, 100).await;
    let before = bed.clock.monotonic();
    let later = async {
        bed.clock.sleep(Duration::from_secs(1)).await;
        subscribe(&bed, &["a"]).await;
    };
    let (answer, ()) = tokio::join!(alice.wait(Duration::from_secs(60)), later);
    assert_eq!(bed.clock.monotonic() - before, Duration::from_secs(1));
    let told =
        value!({ "subscribed": { room().as_str(): { "$a": { "automatic": false, "bump_stamp": 1 } } } });
    assert_eq!(extension(&answer), told);
    assert_eq!(extension(&alice.next().await), Value::Null);

    unsubscribe(&bed, "a").await;
    subscribe(&bed, &["b"]).await;
    // The first answers are lost.
    for _ in 0..3 {
        let answer = alice.attempt().await.expect("an answer");
        assert_eq!(
            extension(&answer)["unsubscribed"][room().as_str()],
            value!({ "$a": { "bump_stamp": 2 } })
        );
        assert_eq!(threads(&answer, "subscribed"), set(&["b"]));
        assert_eq!(extension(&answer).get("prev_batch"), None);
    }
    alice.next().await;
    let restarted = bed.restarted().await;
    let mut alice = Slider { bed: &restarted, ..alice };
    assert_eq!(extension(&alice.next().await), Value::Null);
    subscribe(&restarted, &["c"]).await;
    assert_eq!(threads(&alice.next().await, "subscribed"), set(&["c"]));
}

#[tokio::test(start_paused = true)]
async fn what_is_too_much_is_left_for_the_pages() {
    let bed = Bed::new().await;
    bed.register("alice").await;
    subscribe(&bed, &["old"]).await;
    let mut alice = Slider::new(&bed, "alice", 20);
    alice.request.extensions.thread_subscriptions = Some(2);
    assert_eq!(threads(&alice.next().await, "subscribed"), set(&["old"]));
    subscribe(&bed, &["a", "b", "c", "d", "e"]).await;
    let answer = alice.next().await;
    assert_eq!(threads(&answer, "subscribed"), set(&["d", "e"]));
    let token = extension(&answer)["prev_batch"].as_str().expect("a gap").to_owned();
    let token: ThreadSubscriptionToken = token.parse().expect("a token");
    let snapshot = bed.db.snapshot();
    let rest =
        thread_subscription_changes(&snapshot, &id("alice"), token.after(), End::Below(token), 9).await;
    let rest = rest.expect("a page");
    let roots: Vec<&str> = rest.items.iter().map(|item| item.root.as_str()).collect();
    assert_eq!((roots, rest.next), (vec!["$c", "$b", "$a"], None), "what the client had is not in it");
    assert_eq!(extension(&alice.next().await), Value::Null);
    // Two fit exactly.
    subscribe(&bed, &["f", "g"]).await;
    let answer = alice.next().await;
    assert_eq!(threads(&answer, "subscribed"), set(&["f", "g"]));
    assert_eq!(extension(&answer).get("prev_batch"), None);
}

#[tokio::test(start_paused = true)]
async fn who_asks_later_gets_what_was_missed() {
    let bed = Bed::new().await;
    bed.register("alice").await;
    subscribe(&bed, &["a"]).await;
    let mut alice = Slider::new(&bed, "alice", 20);
    assert_eq!(extension(&alice.next().await), Value::Null);
    alice.request.extensions.thread_subscriptions = Some(100);
    assert_eq!(threads(&alice.next().await, "subscribed"), set(&["a"]));
    // Switched off for a while.
    alice.request.extensions.thread_subscriptions = None;
    subscribe(&bed, &["b"]).await;
    bed.room("alice").await;
    assert_eq!(extension(&alice.next().await), Value::Null);
    alice.request.extensions.thread_subscriptions = Some(100);
    assert_eq!(threads(&alice.next().await, "subscribed"), set(&["b"]));
    assert_eq!(extension(&alice.next().await), Value::Null);
}

/// A client that only asks for it now has its position confirmed, and then waits like others.
#[tokio::test(start_paused = true)]
async fn without_subscriptions_it_costs_one_answer() {
    let bed = Bed::new().await;
    bed.room("alice").await;
    let mut alice = Slider::new(&bed, "alice", 20);
    alice.next().await;
    alice.request.extensions.thread_subscriptions = Some(100);
    let before = bed.clock.monotonic();
    alice.wait(Duration::from_secs(60)).await;
    assert_eq!(bed.clock.monotonic(), before);
    alice.wait(Duration::from_secs(60)).await;
    assert_eq!(bed.clock.monotonic() - before, Duration::from_secs(60));
}
