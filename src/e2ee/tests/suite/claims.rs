//! Claims: each key once, the oldest first, the fallback key when there is no other.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use plop_bed::{Signer, id};
use plop_db::MemoryDisk;
use plop_e2ee::keys::{Claims, KeyCount, MAX_CLAIMED_KEYS, Upload, key_count};
use plop_e2ee::schema::{ClaimedKeyOrder, ClaimedKeys, OneTimeKeys};
use plop_state::json::Object;
use ruma::{OwnedUserId, device_id, owned_device_id};

use crate::bed::{Bed, actor};

async fn with_phone() -> (Bed, OwnedUserId, Signer) {
    let bed = Bed::new();
    let alice = bed.user("alice", &["PHONE"]).await;
    (bed, alice, Signer::new(1))
}

async fn upload(bed: &Bed, alice: &OwnedUserId, one_time: Option<Object>, fallback: Option<Object>) {
    let upload = Upload { device_keys: None, one_time_keys: one_time, fallback_keys: fallback };
    bed.keys.upload(&actor(alice, "PHONE"), &upload).await.expect("published");
}

/// The name of the key of alice's phone that bob gets.
async fn claim(bed: &Bed, alice: &OwnedUserId) -> Option<String> {
    let device = (owned_device_id!("PHONE"), "signed_curve25519".to_owned());
    let claims = Claims::from([(alice.clone(), [device].into())]);
    let claimed = bed.keys.claim(&actor(&id("bob"), "B"), &claims).await.expect("claimed");
    let (name, key) = claimed.keys.get(alice)?.get(device_id!("PHONE"))?;
    assert!(key.starts_with("{\"key\":\"key "), "{key}");
    Some(name.clone())
}

async fn count(bed: &Bed, alice: &OwnedUserId) -> KeyCount {
    key_count(&bed.db.snapshot(), alice, device_id!("PHONE")).await.expect("counts")
}

/// Hostile input, row 93.
#[tokio::test(start_paused = true)]
async fn row_93_a_thousand_claims_of_a_hundred_keys_get_each_once() {
    let (bed, alice, key) = with_phone().await;
    upload(&bed, &alice, Some(key.one_time_keys(&alice, "PHONE", 0..100)), None).await;
    let claimed = join_all((0..1_000).map(|_| claim(&bed, &alice))).await;
    let names: BTreeSet<&String> = claimed.iter().flatten().collect();
    assert_eq!((names.len(), claimed.iter().flatten().count()), (100, 100));
    assert_eq!(count(&bed, &alice).await.one_time["signed_curve25519"], 0);
}

/// Hostile input, row 93.
#[tokio::test(start_paused = true)]
async fn row_93_the_oldest_upload_goes_first_also_after_a_restart() {
    let disk = MemoryDisk::new();
    let mut bed = Bed::on_disk(&disk);
    let alice = bed.user("alice", &["PHONE"]).await;
    let key = Signer::new(1);
    for number in [5, 1, 9, 3] {
        upload(&bed, &alice, Some(key.one_time_keys(&alice, "PHONE", [number])), None).await;
    }
    for number in [5, 1, 9, 3] {
        let expected = format!("signed_curve25519:{number:05}");
        assert_eq!(claim(&bed, &alice).await, Some(expected));
        bed = bed.restarted().await;
    }
    assert_eq!(claim(&bed, &alice).await, None);
}

/// Hostile input, row 93.
#[tokio::test(start_paused = true)]
async fn row_93_a_key_that_was_claimed_is_not_claimed_again_when_its_upload_comes_again() {
    let (bed, alice, key) = with_phone().await;
    let keys = || Some(key.one_time_keys(&alice, "PHONE", 0..2));
    upload(&bed, &alice, keys(), None).await;
    assert_eq!(claim(&bed, &alice).await.as_deref(), Some("signed_curve25519:00000"));
    upload(&bed, &alice, keys(), None).await;
    assert_eq!(count(&bed, &alice).await.one_time["signed_curve25519"], 1);
    assert_eq!(claim(&bed, &alice).await.as_deref(), Some("signed_curve25519:00001"));
    upload(&bed, &alice, keys(), None).await;
    assert_eq!(claim(&bed, &alice).await, None);
    // Another key of that name is one.
    let mut other = key.one_time_keys(&alice, "PHONE", 7..8);
    let other = other.remove("signed_curve25519:00007").expect("a key");
    upload(&bed, &alice, Some([("signed_curve25519:00000".to_owned(), other)].into()), None).await;
    assert_eq!(claim(&bed, &alice).await.as_deref(), Some("signed_curve25519:00000"));
}

/// Hostile input, row 93.
#[tokio::test(start_paused = true)]
async fn row_93_a_fallback_key_is_used_once_it_was_handed_out() {
    let (bed, alice, key) = with_phone().await;
    let fallback = |number| Some(key.one_time_keys(&alice, "PHONE", [number]));
    upload(&bed, &alice, Some(key.one_time_keys(&alice, "PHONE", 0..1)), fallback(100)).await;
    let unused = BTreeSet::from(["signed_curve25519".to_owned()]);
    assert_eq!(claim(&bed, &alice).await.as_deref(), Some("signed_curve25519:00000"));
    assert_eq!(count(&bed, &alice).await.unused_fallback, unused);
    for _ in 0..2 {
        assert_eq!(claim(&bed, &alice).await.as_deref(), Some("signed_curve25519:00100"));
        assert!(count(&bed, &alice).await.unused_fallback.is_empty());
        // The same upload again is no new key.
        upload(&bed, &alice, None, fallback(100)).await;
    }
    upload(&bed, &alice, None, fallback(101)).await;
    assert_eq!(count(&bed, &alice).await.unused_fallback, unused);
    assert_eq!(claim(&bed, &alice).await.as_deref(), Some("signed_curve25519:00101"));
}

#[tokio::test(start_paused = true)]
async fn who_is_not_there_or_has_no_key_is_left_out() {
    let (bed, alice, _) = with_phone().await;
    let elsewhere = OwnedUserId::try_from("@x:elsewhere.example").expect("a user id");
    let device = (owned_device_id!("PHONE"), "signed_curve25519".to_owned());
    let claims = [alice, id("nobody"), elsewhere].map(|user| (user, [device.clone()].into()));
    let claimed = bed.keys.claim(&actor(&id("bob"), "B"), &Claims::from(claims)).await.expect("claimed");
    assert!(claimed.keys.is_empty());
    assert_eq!(
        claimed.elsewhere.into_iter().map(|server| server.to_string()).collect::<Vec<_>>(),
        ["elsewhere.example"]
    );
}

#[tokio::test(start_paused = true)]
async fn of_claimed_keys_the_last_ones_are_remembered() {
    let (bed, alice, key) = with_phone().await;
    let most = usize::try_from(MAX_CLAIMED_KEYS).expect("a number");
    let mut next = 0;
    for _ in 0..most / 500 + 1 {
        upload(&bed, &alice, Some(key.one_time_keys(&alice, "PHONE", next..next + 500)), None).await;
        next += 500;
        for _ in 0..500 {
            claim(&bed, &alice).await.expect("a key");
        }
    }
    let rows = (bed.rows::<ClaimedKeyOrder>().await, bed.rows::<ClaimedKeys>().await);
    assert_eq!((rows, bed.rows::<OneTimeKeys>().await), ((most, most), 0));
}
