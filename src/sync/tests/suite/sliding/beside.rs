//! Extensions: messages to the device, account data, receipts, typing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use plop_ephemeral::{ReceiptKind, Thread};
use plop_sync::sliding::request::{Names, Scope, SlidingError, ToDeviceRequest};
use ruma::to_device::DeviceIdOrAllDevices;
use serde_json::{Value, json as value};

use super::bed::{Slider, rooms};
use crate::bed::{Bed, id, json, user};
use crate::ephemeral::read;

const MINUTE: Duration = Duration::from_secs(60);

async fn send(bed: &Bed, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let content = value!({ "n": number }).as_object().cloned().expect("an object");
        let to = BTreeMap::from([(id("bob"), BTreeMap::from([(DeviceIdOrAllDevices::AllDevices, content)]))]);
        bed.to_device.send(&user("alice"), "org.example", &number.to_string(), &to).await.expect("sent");
    }
}

fn numbers(answer: &Value) -> Vec<u64> {
    let events = answer["extensions"]["to_device"]["events"].as_array().cloned().unwrap_or_default();
    events.iter().map(|event| event["content"]["n"].as_u64().expect("a number")).collect()
}

/// The client goes on from the messages that it has got.
fn go_on(bob: &mut Slider<'_>, answer: &Value) {
    let since = answer["extensions"]["to_device"]["next_batch"].as_str().map(str::to_owned);
    bob.request.extensions.to_device = Some(ToDeviceRequest { since, limit: Some(2) });
}

#[tokio::test(start_paused = true)]
async fn messages_come_until_their_token_comes_back() {
    let bed = Bed::new().await;
    for name in ["alice", "bob"] {
        bed.register(name).await;
    }
    let mut bob = Slider::new(&bed, "bob", 20);
    bob.request.extensions.to_device = Some(ToDeviceRequest { since: None, limit: Some(2) });
    let first = bob.next().await;
    go_on(&mut bob, &first);
    let later = async {
        bed.clock.sleep(Duration::from_secs(1)).await;
        send(&bed, 0..3).await;
    };
    let before = bed.clock.monotonic();
    let (answer, ()) = tokio::join!(bob.wait(MINUTE), later);
    assert_eq!(bed.clock.monotonic() - before, Duration::from_secs(1));
    let first_batch = numbers(&answer);
    assert_eq!(first_batch.first(), Some(&0));
    let again = bob.next().await;
    assert_eq!(numbers(&again), [0, 1], "nothing was acknowledged");
    go_on(&mut bob, &again);
    let rest = bob.next().await;
    assert_eq!(numbers(&rest), [2]);
    go_on(&mut bob, &rest);
    assert_eq!(numbers(&bob.next().await), [0; 0]);
    // Another connection, and another device, find nothing.
    let mut fresh = Slider::new(&bed, "bob", 20).with_extensions().named("fresh");
    assert_eq!(numbers(&fresh.next().await), [0; 0]);
    bob.request.extensions.to_device = Some(ToDeviceRequest { since: Some("5".to_owned()), limit: None });
    assert!(matches!(bob.attempt().await, Err(SlidingError::NoToDeviceToken)));
}

#[tokio::test(start_paused = true)]
async fn account_data_comes_whole_and_then_as_it_changes() {
    let bed = Bed::new().await;
    bed.register("alice").await;
    let room = bed.room("alice").await;
    let setting = || json(r#"{"on":true}"#);
    bed.set_account_data("alice", None, "org.example.a", setting()).await;
    bed.set_account_data("alice", Some(&room), "org.example.b", setting()).await;
    let kinds = |events: &Value| -> BTreeSet<String> {
        let events = events.as_array().cloned().unwrap_or_default();
        events.iter().map(|event| event["type"].as_str().expect("a type").to_owned()).collect()
    };
    let of = |answer: &Value| {
        let told = &answer["extensions"]["account_data"];
        (kinds(&told["global"]), kinds(&told["rooms"][room.as_str()]))
    };
    let set = super::bed::set;
    let mut alice = Slider::new(&bed, "alice", 20);
    assert_eq!(alice.next().await["extensions"], value!({}));
    alice.request.extensions.account_data = Some(Scope::default());
    assert_eq!(
        of(&alice.next().await),
        (set(&["m.push_rules", "org.example.a"]), set(&["org.example.b"])),
        "enabled later"
    );
    bed.set_account_data("alice", None, "org.example.c", setting()).await;
    bed.set_account_data("alice", Some(&room), "org.example.d", setting()).await;
    assert_eq!(of(&alice.next().await), (set(&["org.example.c"]), set(&["org.example.d"])));
    assert_eq!(of(&alice.next().await), (set(&[]), set(&[])));
    // What changes while nobody asks for it is owed.
    let scope = alice.request.extensions.account_data.take();
    bed.set_account_data("alice", Some(&room), "org.example.e", setting()).await;
    bed.set_account_data("alice", None, "org.example.f", setting()).await;
    bed.say("alice", &room, "x").await;
    alice.next().await;
    alice.request.extensions.account_data = scope;
    let (global, of_room) = of(&alice.next().await);
    assert_eq!(
        (global, of_room),
        (set(&["org.example.f"]), set(&["org.example.b", "org.example.d", "org.example.e"]))
    );
    let first = Slider::new(&bed, "alice", 20).with_extensions().next().await;
    assert_eq!(of(&first).1.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn receipts_and_typing_come_for_the_rooms_in_view() {
    let bed = Bed::new().await;
    for name in ["alice", "bob"] {
        bed.register(name).await;
    }
    let room = bed.room("alice").await;
    bed.join("bob", &room).await;
    let event = bed.say("alice", &room, "hello").await;
    read(&bed, "bob", &room, &event, ReceiptKind::Public, Thread::Main).await;
    let mut alice = Slider::new(&bed, "alice", 20).with_extensions();
    let first = alice.next().await;
    let receipt = value!({"type": "m.receipt", "content": {event.as_str(): {"m.read": {"@bob:plop.example": {
        "ts": bed.clock.now().0, "thread_id": "main"}}}}});
    assert_eq!(first["extensions"]["receipts"]["rooms"][room.as_str()], receipt);
    assert_eq!(first["extensions"]["typing"], value!(null));
    let last = bed.say("alice", &room, "again").await;
    alice.next().await;
    read(&bed, "bob", &room, &last, ReceiptKind::Public, Thread::Unthreaded).await;
    read(&bed, "bob", &room, &last, ReceiptKind::Private, Thread::Unthreaded).await;
    let answer = alice.next().await;
    assert_eq!(rooms(&answer), BTreeSet::new(), "what others read changes nothing in the room");
    let told = &answer["extensions"]["receipts"]["rooms"][room.as_str()]["content"];
    assert_eq!(told[last.as_str()].as_object().map(|kinds| kinds.len()), Some(1), "{told}");

    let number = bed.rooms.number(&room).await.expect("a read").expect("a room");
    let type_later = async {
        bed.clock.sleep(Duration::from_secs(1)).await;
        bed.typing.start(&user("bob"), number, &id("bob"), Duration::from_secs(20)).expect("typing");
    };
    let (answer, ()) = tokio::join!(alice.wait(MINUTE), type_later);
    let typing = |users: Value| value!({"type": "m.typing", "content": {"user_ids": users}});
    assert_eq!(answer["extensions"]["typing"]["rooms"][room.as_str()], typing(value!(["@bob:plop.example"])));
    let before = bed.clock.monotonic();
    let answer = alice.wait(MINUTE).await;
    assert_eq!(answer["extensions"]["typing"]["rooms"][room.as_str()], typing(value!([])));
    assert_eq!(bed.clock.monotonic() - before, Duration::from_secs(20));
}

#[tokio::test(start_paused = true)]
async fn an_extension_may_be_for_some_lists_and_subscriptions_only() {
    let bed = Bed::new().await;
    bed.register("alice").await;
    let room = bed.room("alice").await;
    let mut alice = Slider::new(&bed, "alice", 20);
    let lists = |names: &[&str]| Some(Scope { lists: Names::Of(super::bed::set(names)), rooms: Names::All });
    alice.request.extensions.account_data = lists(&["other"]);
    alice.next().await;
    bed.set_account_data("alice", Some(&room), "org.example", json(r#"{"a":1}"#)).await;
    bed.say("alice", &room, "x").await;
    assert_eq!(alice.next().await["extensions"], value!({}));
    alice.request.extensions.account_data = lists(&["all"]);
    let told = alice.next().await["extensions"]["account_data"]["rooms"][room.as_str()].clone();
    assert_eq!(told, value!([{"type": "org.example", "content": {"a": 1}}]));
}
