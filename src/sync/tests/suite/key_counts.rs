//! What a device is told of its own keys: always, and right.

use std::collections::BTreeMap;
use std::time::Duration;

use plop_bed::Signer;
use plop_e2ee::keys::{Claims, Upload};
use plop_state::json::Object;
use ruma::owned_device_id;
use serde_json::{Value, json as value};

use crate::bed::{Bed, Client, id, keys, user};

const COUNT: &str = "device_one_time_keys_count";
const FALLBACK: &str = "device_unused_fallback_key_types";

async fn with_bob() -> (Bed, Signer) {
    let bed = Bed::new().await;
    bed.register("bob").await;
    (bed, Signer::new(1))
}

async fn upload(bed: &Bed, one_time: Option<Object>, fallback: Option<Object>) {
    let upload = Upload { device_keys: None, one_time_keys: one_time, fallback_keys: fallback };
    bed.keys.upload(&user("bob"), &upload).await.expect("published");
}

async fn claim(bed: &Bed) {
    let device = (owned_device_id!("DEVICE"), "signed_curve25519".to_owned());
    let claims = Claims::from([(id("bob"), BTreeMap::from([device]))]);
    let claimed = bed.keys.claim(&user("alice"), &claims).await.expect("claimed");
    assert_eq!(claimed.keys.len(), 1);
}

/// The answer as the client gets it.
async fn raw(client: &mut Client<'_>) -> Value {
    let answer: Value =
        serde_json::from_str(&client.text(Default::default()).await.expect("an answer")).expect("JSON");
    client.since = answer["next_batch"].as_str().map(ToOwned::to_owned);
    answer
}

fn count(answer: &Value) -> (Value, Value) {
    (answer[COUNT]["signed_curve25519"].clone(), answer[FALLBACK].clone())
}

#[tokio::test(start_paused = true)]
async fn every_answer_has_the_counts_as_they_are() {
    let (bed, key) = with_bob().await;
    let mut bob = bed.client("bob");
    let unused = || value!(["signed_curve25519"]);
    for _ in 0..2 {
        assert_eq!(count(&raw(&mut bob).await), (value!(0), value!([])));
    }
    upload(&bed, Some(key.one_time_keys(&id("bob"), "DEVICE", 0..2)), None).await;
    assert_eq!(count(&raw(&mut bob).await), (value!(2), value!([])));
    upload(&bed, None, Some(key.one_time_keys(&id("bob"), "DEVICE", 7..8))).await;
    for (left, unused) in [(1, unused()), (0, unused()), (0, value!([]))] {
        claim(&bed).await;
        for _ in 0..2 {
            assert_eq!(count(&raw(&mut bob).await), (value!(left), unused.clone()));
        }
    }
    let bed = bed.restarted().await;
    assert_eq!(count(&raw(&mut bed.client("bob")).await), (value!(0), value!([])));
}

#[tokio::test(start_paused = true)]
async fn a_claim_wakes_the_device() {
    let (bed, key) = with_bob().await;
    upload(&bed, Some(key.one_time_keys(&id("bob"), "DEVICE", 0..2)), None).await;
    let mut bob = bed.client("bob");
    bob.sync().await;
    for left in [1, 0] {
        let later = async {
            bed.clock.sleep(Duration::from_secs(5)).await;
            claim(&bed).await;
        };
        let begin = bed.clock.monotonic();
        let (answer, ()) = tokio::join!(bob.wait(Duration::from_secs(30)), later);
        assert!(bed.clock.monotonic() - begin < Duration::from_secs(6));
        if left > 0 {
            assert_eq!(count(&answer), (value!(left), Value::Null));
        } else {
            assert_eq!(keys(&answer), ["next_batch"]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_later_device_of_that_name_has_none() {
    let (bed, key) = with_bob().await;
    upload(&bed, Some(key.one_time_keys(&id("bob"), "DEVICE", 0..2)), None).await;
    let mut bob = bed.client("bob");
    assert_eq!(count(&raw(&mut bob).await).0, value!(2));
    bed.accounts.logout(&user("bob")).await.expect("logged out");
    assert_eq!(count(&raw(&mut bob).await).0, value!(0));
}
