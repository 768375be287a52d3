//! What a device publishes: what is refused, what is kept, what comes again.

use std::collections::BTreeMap;

use plop_bed::{Signer, json};
use plop_e2ee::keys::{
    KeyRejected, MAX_FALLBACK_KEYS, MAX_IDENTITY_BYTES, MAX_ONE_TIME_KEYS, PublishError, Upload, key_count,
};
use plop_e2ee::schema::{DeviceKeys, FallbackKeys, OneTimeKeys};
use plop_state::json::{Object, Value};
use ruma::{OwnedUserId, device_id};

use crate::bed::{Bed, actor, bridge};

/// Alice's phone, and the key that it has.
async fn with_phone() -> (Bed, OwnedUserId, Signer) {
    let bed = Bed::new();
    let alice = bed.user("alice", &["PHONE", "OTHER"]).await;
    (bed, alice, Signer::new(1))
}

fn identity(keys: Object) -> Upload {
    Upload { device_keys: Some(keys), ..Upload::default() }
}

fn one_time(keys: Object) -> Upload {
    Upload { one_time_keys: Some(keys), ..Upload::default() }
}

fn fallback(keys: Object) -> Upload {
    Upload { fallback_keys: Some(keys), ..Upload::default() }
}

fn changed(keys: &Object, member: &str, value: &str) -> Upload {
    let value = json(&format!(r#"{{"v":{value}}}"#)).remove("v").expect("a value");
    identity([keys.clone(), [(member.to_owned(), value)].into()].into_iter().flatten().collect())
}

/// Hostile input, row 90.
#[tokio::test(start_paused = true)]
async fn row_90_identity_keys_that_are_not_the_devices_own_are_never_stored() {
    let (bed, alice, key) = with_phone().await;
    let phone = actor(&alice, "PHONE");
    let keys = key.device_keys(&alice, "PHONE");
    let without = |member: &str| {
        identity(keys.clone().into_iter().filter(|(name, _)| name != member).collect::<Object>())
    };
    let malformed = [
        without("user_id"),
        without("device_id"),
        without("algorithms"),
        without("keys"),
        changed(&keys, "user_id", "7"),
        changed(&keys, "algorithms", "\"m.olm\""),
        changed(&keys, "algorithms", "[1]"),
        changed(&keys, "keys", "[]"),
        changed(&keys, "keys", r#"{"ed25519:PHONE":{"nested":{}}}"#),
        changed(&keys, "keys", r#"{"ed25519:PHONE":"no key"}"#),
        changed(&keys, "keys", r#"{"curve25519:PHONE":"x"}"#),
        changed(&keys, "keys", r#"{"ed25519:PHONE":"x","ed25519:OTHER":"x"}"#),
        changed(&keys, "signatures", "7"),
        changed(&keys, "signatures", r#"{"@a:b":{"ed25519:X":{}}}"#),
    ];
    for upload in &malformed {
        let refused = bed.keys.upload(&phone, upload).await;
        assert!(
            matches!(refused, Err(PublishError::Rejected(KeyRejected::Malformed(_)))),
            "{upload:?}: {refused:?}"
        );
    }
    for (upload, expected) in [
        (changed(&keys, "user_id", "\"@bob:plop.example\""), KeyRejected::NotYours),
        (changed(&keys, "device_id", "\"OTHER\""), KeyRejected::NotYours),
        (identity(key.device_keys(&alice, "OTHER")), KeyRejected::NotYours),
        (changed(&keys, "signatures", r#"{"@a:b":{"ed25519:X":"x"}}"#), KeyRejected::InvalidSignature),
        (changed(&keys, "algorithms", "[]"), KeyRejected::InvalidSignature),
        (changed(&keys, "x", &format!("\"{}\"", "x".repeat(MAX_IDENTITY_BYTES))), KeyRejected::TooLarge),
    ] {
        match bed.keys.upload(&phone, &upload).await {
            Err(PublishError::Rejected(rejected)) => assert_eq!(rejected, expected),
            other => panic!("{upload:?}: {other:?}"),
        }
    }
    assert_eq!(bed.rows::<DeviceKeys>().await, 0);
    assert!(matches!(bed.keys.upload(&bridge(&alice), &identity(keys)).await, Err(PublishError::NoDevice)));
}

/// Nobody believes them, and nobody is kept from uploading them. Who signs them later publishes a change.
#[tokio::test(start_paused = true)]
async fn identity_keys_that_nobody_signed_are_taken_as_they_are() {
    let (bed, alice, key) = with_phone().await;
    let phone = actor(&alice, "PHONE");
    let keys = key.device_keys(&alice, "PHONE");
    let none: Object = keys.clone().into_iter().filter(|(name, _)| name != "signatures").collect();
    let of_alice = format!(r#"{{"{alice}":{{}}}}"#);
    for unsigned in
        [identity(none), changed(&keys, "signatures", "{}"), changed(&keys, "signatures", &of_alice)]
    {
        bed.keys.upload(&phone, &unsigned).await.expect("published");
        assert_eq!(bed.told(&phone, &alice).await["devices"]["PHONE"]["signatures"], serde_json::json!({}));
    }
    bed.keys.upload(&phone, &identity(keys)).await.expect("published");
    assert!(bed.told(&phone, &alice).await["devices"]["PHONE"]["signatures"][alice.as_str()].is_object());
}

/// Hostile input, row 90.
#[tokio::test(start_paused = true)]
async fn row_90_one_time_keys_that_are_none_are_never_stored() {
    let (bed, alice, key) = with_phone().await;
    let phone = actor(&alice, "PHONE");
    bed.keys.upload(&phone, &identity(key.device_keys(&alice, "PHONE"))).await.expect("published");
    let good = key.one_time_keys(&alice, "PHONE", 0..3);
    let by_another = Signer::new(2).one_time_keys(&alice, "TABLET", 7..8);
    for (bad, expected) in [
        (by_another, KeyRejected::InvalidSignature),
        (json(r#"{"signed_curve25519:A":{"key":"x"}}"#), KeyRejected::InvalidSignature),
        (json(&format!(r#"{{"curve25519:A":"{}"}}"#, "x".repeat(5_000))), KeyRejected::TooLarge),
    ] {
        let all: Object = good.clone().into_iter().chain(bad).collect();
        for upload in [one_time(all.clone()), fallback(all)] {
            match bed.keys.upload(&phone, &upload).await {
                Err(PublishError::Rejected(rejected)) => assert_eq!(rejected, expected),
                other => panic!("{other:?}"),
            }
        }
    }
    for bad in [
        r#"{"signed_curve25519":{"key":"x"}}"#,
        r#"{":A":"x"}"#,
        r#"{"curve25519:":"x"}"#,
        r#"{"signed_curve25519:A":"x"}"#,
        r#"{"signed_curve25519:A":{"key":7}}"#,
        r#"{"signed_curve25519:A":[]}"#,
        r#"{"curve25519:A":7}"#,
    ] {
        let refused = bed.keys.upload(&phone, &one_time(json(bad))).await;
        assert!(
            matches!(refused, Err(PublishError::Rejected(KeyRejected::Malformed(_)))),
            "{bad}: {refused:?}"
        );
    }
    assert_eq!((bed.rows::<OneTimeKeys>().await, bed.rows::<FallbackKeys>().await), (0, 0));
}

/// Hostile input, row 93.
#[tokio::test(start_paused = true)]
async fn row_93_a_repeated_upload_changes_nothing_and_another_key_of_that_name_is_refused() {
    let (bed, alice, key) = with_phone().await;
    let phone = actor(&alice, "PHONE");
    // Before its identity is known, as clients may.
    let upload = one_time(key.one_time_keys(&alice, "PHONE", 0..3));
    for _ in 0..3 {
        let counts = bed.keys.upload(&phone, &upload).await.expect("published");
        assert_eq!(counts, BTreeMap::from([("signed_curve25519".to_owned(), 3)]));
    }
    let overlapping = one_time(key.one_time_keys(&alice, "PHONE", 1..4));
    assert_eq!(bed.keys.upload(&phone, &overlapping).await.expect("published")["signed_curve25519"], 4);
    let mut others = key.one_time_keys(&alice, "PHONE", 9..10);
    let key_9 = others.remove("signed_curve25519:00009").expect("a key");
    let clash: Object = [("signed_curve25519:00001".to_owned(), key_9)].into();
    let refused = bed.keys.upload(&phone, &one_time(clash)).await.expect_err("refused").to_string();
    assert!(
        refused.starts_with("One time key signed_curve25519:00001 already exists. Old key: {"),
        "{refused}"
    );
    assert_eq!(bed.rows::<OneTimeKeys>().await, 4);
}

#[tokio::test(start_paused = true)]
async fn a_device_keeps_only_so_many_keys() {
    let (bed, alice, key) = with_phone().await;
    let phone = actor(&alice, "PHONE");
    let most = u32::try_from(MAX_ONE_TIME_KEYS).expect("a number");
    let all = one_time(key.one_time_keys(&alice, "PHONE", 0..most));
    bed.keys.upload(&phone, &all).await.expect("published");
    for numbers in [most..most + 1, 0..most + 1] {
        let more = one_time(key.one_time_keys(&alice, "PHONE", numbers));
        assert!(matches!(bed.keys.upload(&phone, &more).await, Err(PublishError::TooManyKeys)));
    }
    let fallbacks = |count: usize| -> Object {
        (0..count).map(|number| (format!("a{number}:A"), Value::from("x"))).collect()
    };
    let more = fallback(fallbacks(MAX_FALLBACK_KEYS + 1));
    assert!(matches!(bed.keys.upload(&phone, &more).await, Err(PublishError::TooManyKeys)));
    bed.keys.upload(&phone, &fallback(fallbacks(MAX_FALLBACK_KEYS))).await.expect("published");
    let one_more = fallback(json(r#"{"other:A":"x"}"#));
    assert!(matches!(bed.keys.upload(&phone, &one_more).await, Err(PublishError::TooManyKeys)));
    let two = fallback(json(r#"{"a0:A":"x","a0:B":"x"}"#));
    assert!(matches!(bed.keys.upload(&phone, &two).await, Err(PublishError::Rejected(_))));
}

#[tokio::test(start_paused = true)]
async fn another_identity_takes_the_keys_of_the_one_before_with_it() {
    let (bed, alice, key) = with_phone().await;
    let phone = actor(&alice, "PHONE");
    let upload = Upload {
        device_keys: Some(key.device_keys(&alice, "PHONE")),
        one_time_keys: Some(key.one_time_keys(&alice, "PHONE", 0..3)),
        fallback_keys: Some(key.one_time_keys(&alice, "PHONE", 7..8)),
    };
    bed.keys.upload(&phone, &upload).await.expect("published");
    let other = Signer::new(2);
    let upload = Upload {
        device_keys: Some(other.device_keys(&alice, "PHONE")),
        one_time_keys: Some(other.one_time_keys(&alice, "PHONE", 0..1)),
        fallback_keys: None,
    };
    let counts = bed.keys.upload(&phone, &upload).await.expect("published");
    assert_eq!(counts["signed_curve25519"], 1);
    let count = key_count(&bed.db.snapshot(), &alice, device_id!("PHONE")).await.expect("counts");
    assert!(count.unused_fallback.is_empty());
    assert_eq!(bed.rows::<OneTimeKeys>().await, 1);
}

/// Each key is looked up only where some have been claimed; those that wait are read at once.
#[tokio::test(start_paused = true)]
async fn keys_are_looked_up_only_among_claimed_ones() {
    let (bed, alice, key) = with_phone().await;
    let phone = actor(&alice, "PHONE");
    let upload = async |numbers: std::ops::Range<u32>| {
        let before = bed.reads();
        bed.keys.upload(&phone, &one_time(key.one_time_keys(&alice, "PHONE", numbers))).await.expect("taken");
        bed.reads() - before
    };
    assert!(upload(0..50).await < 5);
    assert!(upload(50..100).await < 6);
    assert_eq!(bed.rows::<OneTimeKeys>().await, 100);
    // Also when the keys that there were have been claimed: they are known still.
    let wanted = [(alice.clone(), [("PHONE".into(), "signed_curve25519".to_owned())].into())].into();
    for _ in 0..100 {
        bed.keys.claim(&phone, &wanted).await.expect("claimed");
    }
    assert!(upload(0..50).await >= 50);
    let count = key_count(&bed.db.snapshot(), &alice, device_id!("PHONE")).await.expect("counts");
    assert_eq!(count.one_time["signed_curve25519"], 0);
}
