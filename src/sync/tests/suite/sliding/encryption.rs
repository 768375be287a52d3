//! The extension for encryption: whose device lists changed, what is left of the device's keys.

use std::time::Duration;

use plop_bed::Signer;
use plop_e2ee::keys::Upload;
use ruma::OwnedRoomId;
use serde_json::{Value, json as value};

use super::bed::Slider;
use crate::bed::{Bed, id, user};

const MINUTE: Duration = Duration::from_secs(60);

async fn publish(bed: &Bed, name: &str, number: u8) {
    let device_keys = Some(Signer::new(number).device_keys(&id(name), "DEVICE"));
    let upload = Upload { device_keys, ..Upload::default() };
    bed.keys.upload(&user(name), &upload).await.expect("published");
}

fn lists(answer: &Value) -> &Value {
    &answer["extensions"]["e2ee"]["device_lists"]
}

fn count(answer: &Value) -> &Value {
    &answer["extensions"]["e2ee"]["device_one_time_keys_count"]["signed_curve25519"]
}

/// A room of alice's, and bob, who is not in it.
async fn room_of_alice() -> (Bed, OwnedRoomId) {
    let bed = Bed::new().await;
    for name in ["alice", "bob"] {
        bed.register(name).await;
    }
    let room = bed.room("alice").await;
    (bed, room)
}

#[tokio::test(start_paused = true)]
async fn it_tells_of_lists_and_counts_and_wakes() {
    let (bed, room) = room_of_alice().await;
    bed.join("bob", &room).await;
    let mut bob = Slider::new(&bed, "bob", 20);
    assert_eq!(bob.next().await["extensions"]["e2ee"], Value::Null, "it is not enabled");
    bob.request.extensions.encryption = true;
    let first = bob.next().await;
    assert_eq!((lists(&first), count(&first)), (&Value::Null, &value!(0)));
    let later = async {
        bed.clock.sleep(Duration::from_secs(1)).await;
        publish(&bed, "alice", 1).await;
    };
    let before = bed.clock.monotonic();
    let (answer, ()) = tokio::join!(bob.wait(MINUTE), later);
    let waited = bed.clock.monotonic() - before;
    // Changes of device lists of others are gathered for a moment.
    assert_eq!(waited, Duration::from_millis(1_100));
    assert_eq!(lists(&answer), &value!({ "changed": [id("alice")], "left": [] }));
    let keys = Upload {
        one_time_keys: Some(Signer::new(2).one_time_keys(&id("bob"), "DEVICE", 0..3)),
        ..Upload::default()
    };
    bed.keys.upload(&user("bob"), &keys).await.expect("published");
    let answer = bob.wait(MINUTE).await;
    assert_eq!((bed.clock.monotonic() - before, count(&answer)), (waited, &value!(3)));
    bed.leave("bob", &room).await;
    assert_eq!(lists(&bob.next().await), &value!({ "changed": [], "left": [id("alice")] }));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_repeated_is_told_the_same_lists() {
    let (bed, room) = room_of_alice().await;
    let mut bob = Slider::new(&bed, "bob", 20);
    bob.request.extensions.encryption = true;
    bob.next().await;
    bed.join("bob", &room).await;
    let before = bob.request.pos.clone();
    let answer = bob.next().await;
    assert_eq!(lists(&answer), &value!({ "changed": [id("alice")], "left": [] }));
    bob.request.pos = before;
    assert_eq!(lists(&bob.next().await), lists(&answer));
}

/// A client that pauses the extension, or enables it later, would else encrypt to devices that are gone.
#[tokio::test(start_paused = true)]
async fn what_changes_while_nobody_asks_is_told_once_somebody_does() {
    let (bed, room) = room_of_alice().await;
    bed.join("bob", &room).await;
    let mut bob = Slider::new(&bed, "bob", 20);
    bob.next().await;
    for other in ["carol", "dave", "erin"] {
        bob.request.extensions.encryption = false;
        bed.join(other, &room).await;
        bed.say("alice", &room, "hello").await;
        assert_eq!(bob.next().await["extensions"]["e2ee"], Value::Null);
        bob.request.extensions.encryption = true;
        let answer = bob.next().await;
        assert_eq!(lists(&answer), &value!({ "changed": [id(other)], "left": [] }));
        assert_eq!(lists(&bob.next().await), &Value::Null);
        bed.say("alice", &room, "again").await;
        bob.next().await;
    }
}
