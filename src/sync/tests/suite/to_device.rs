//! Messages to the device that syncs: each once, until a token says that it has come.

use std::collections::BTreeMap;
use std::time::Duration;

use plop_base::Actor;
use plop_db::{Direction, KeyRange, Position};
use plop_e2ee::schema::ToDeviceMessages;
use plop_sync::{SyncRequest, SyncToken};
use ruma::to_device::DeviceIdOrAllDevices;
use serde_json::{Value, json as value};

use crate::bed::{Bed, id, keys, text, user};

/// Sends numbers to all devices of bob.
async fn send(bed: &Bed, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let content = value!({ "n": number }).as_object().cloned().expect("an object");
        let to = BTreeMap::from([(id("bob"), BTreeMap::from([(DeviceIdOrAllDevices::AllDevices, content)]))]);
        let transaction = number.to_string();
        bed.to_device.send(&user("alice"), "org.example", &transaction, &to).await.expect("sent");
    }
}

fn numbers(answer: &Value) -> Vec<u64> {
    let events = answer["to_device"]["events"].as_array().cloned().unwrap_or_default();
    events.iter().map(|event| event["content"]["n"].as_u64().expect("a number")).collect()
}

/// Messages that are in the store.
async fn stored(bed: &Bed) -> usize {
    let rows = bed.db.snapshot().scan(KeyRange::<ToDeviceMessages>::all(), Direction::Forward, 1_000).await;
    rows.expect("rows").rows.len()
}

async fn with_accounts() -> Bed {
    let bed = Bed::new().await;
    for name in ["alice", "bob"] {
        bed.register(name).await;
    }
    bed
}

#[tokio::test(start_paused = true)]
async fn a_message_comes_once_and_goes_when_it_has_come() {
    let bed = with_accounts().await;
    let mut bob = bed.client("bob");
    bob.sync().await;
    let later = async {
        bed.clock.sleep(Duration::from_secs(5)).await;
        send(&bed, 0..1).await;
    };
    let (answer, ()) = tokio::join!(bob.wait(Duration::from_secs(30)), later);
    let event = value!({"type": "org.example", "sender": "@alice:plop.example", "content": {"n": 0}});
    assert_eq!(answer["to_device"], value!({ "events": [event] }));
    assert_eq!(stored(&bed).await, 1, "the answer may be lost");
    assert_eq!(keys(&bob.sync().await), ["next_batch"]);
    assert_eq!(stored(&bed).await, 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_lost_is_given_again() {
    let bed = with_accounts().await;
    let mut bob = bed.client("bob");
    bob.sync().await;
    let before = bob.clone();
    send(&bed, 0..2).await;
    assert_eq!(numbers(&bob.sync().await), [0, 1]);
    bob = before;
    send(&bed, 2..3).await;
    assert_eq!(numbers(&bob.sync().await), [0, 1, 2]);
    // A first sync of the same device: what was not acknowledged waits.
    assert_eq!(numbers(&bed.client("bob").sync().await), [0, 1, 2]);
}

/// Hostile input, row 94.
#[tokio::test(start_paused = true)]
async fn many_messages_come_in_pages_without_loss() {
    let bed = with_accounts().await;
    let mut bob = bed.client("bob");
    bob.sync().await;
    send(&bed, 0..250).await;
    let mut got = Vec::new();
    for expected in [100, 100, 50, 0] {
        let page = numbers(&bob.sync().await);
        assert_eq!(page.len(), expected);
        got.extend(page);
    }
    assert_eq!(got, (0..250).collect::<Vec<_>>());
    assert_eq!(stored(&bed).await, 0);
}

/// Hostile input, rows 83 and 87.
#[tokio::test(start_paused = true)]
async fn the_token_of_another_device_deletes_nothing() {
    let bed = with_accounts().await;
    send(&bed, 0..3).await;
    let mut alice = bed.client("alice");
    assert_eq!(numbers(&alice.sync().await), [0; 0], "others get nothing");
    let mut tablet = bed.client("bob");
    tablet.actor = Actor::User { user: id("bob"), device: "TABLET".into() };
    assert_eq!(numbers(&tablet.sync().await), [0; 0], "it was not there");
    for since in [alice.since.clone(), tablet.since.clone()] {
        let mut bob = bed.client("bob");
        bob.since = since;
        assert_eq!(numbers(&bob.sync().await), [0, 1, 2]);
    }
    let without_device = Actor::AdminAs { admin: id("root"), user: id("bob") };
    let answer = bed.sync.sync(&without_device, &SyncRequest::default()).await.expect("an answer");
    assert!(!text(answer).await.contains("to_device"));
}

/// The database was made anew, and a bot has kept its device and its token; or a token is made up.
#[tokio::test(start_paused = true)]
async fn a_token_of_another_database_or_of_the_future_deletes_nothing() {
    let bed = with_accounts().await;
    send(&bed, 0..3).await;
    let mut bob = bed.client("bob");
    assert_eq!(numbers(&bob.sync().await), [0, 1, 2]);
    let token: SyncToken = bob.since.clone().expect("a token").parse().expect("a token");
    let mut foreign = token;
    foreign.database.database_id[0] ^= 1;
    let mut restored = token;
    restored.database.restore_generation += 1;
    let future = Position::from_bytes([0xfe; 12]);
    let far = SyncToken { to_device: future, ..token };
    let farther = SyncToken { position: future, ..foreign };
    for odd in [foreign, restored, far, farther] {
        bob.since = Some(odd.to_string());
        assert_eq!(numbers(&bob.sync().await), [0, 1, 2]);
        assert_eq!(stored(&bed).await, 3);
    }
    assert_eq!(numbers(&bob.sync().await), [0; 0]);
    assert_eq!(stored(&bed).await, 0);
}
