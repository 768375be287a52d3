//! Dehydrated devices: made with their keys, in the place of the former one.

use plop_accounts::dehydrated::{DehydrationError, NewDehydratedDevice};
use plop_accounts::schema::{DehydratedDevices, DeviceLists, ListedDevices};
use plop_bed::{Signer, json};
use plop_db::Position;
use plop_e2ee::keys::{KeyRejected, MAX_ONE_TIME_KEYS, PublishError, Upload};
use plop_e2ee::schema::{DeviceKeys, FallbackKeys, KeyCounts, OneTimeKeys};
use ruma::{DeviceId, OwnedUserId, UserId};

use crate::bed::{Bed, actor, numbers};

fn device(id: &str) -> NewDehydratedDevice {
    let data = json(r#"{"algorithm":"org.example","device_pickle":"secret"}"#);
    NewDehydratedDevice { id: id.into(), display_name: Some("Dehydrated device".to_owned()), data }
}

/// Identity keys, two one-time keys, a fallback key.
fn keys(user: &UserId, id: &str, key: &Signer) -> Upload {
    Upload {
        device_keys: Some(key.device_keys(user, id)),
        one_time_keys: Some(key.one_time_keys(user, id, 0..2)),
        fallback_keys: Some(key.one_time_keys(user, id, 9..10)),
    }
}

async fn dehydrate(bed: &Bed, user: &UserId, id: &str, key: &Signer) -> Result<(), PublishError> {
    bed.keys.dehydrate(&actor(user, "PHONE"), device(id), &keys(user, id, key)).await
}

/// Names of the keys that are claimed of a device, one after the other.
async fn claimed(bed: &Bed, user: &UserId, id: &str, times: usize) -> Vec<String> {
    let mut names = Vec::new();
    for _ in 0..times {
        let wanted = [(user.to_owned(), [(id.into(), "signed_curve25519".to_owned())].into())].into();
        let mut claimed = bed.keys.claim(&actor(user, "PHONE"), &wanted).await.expect("claimed").keys;
        let key = claimed.remove(user).and_then(|mut devices| devices.remove(<&DeviceId>::from(id)));
        names.extend(key.map(|(name, _)| name));
    }
    names
}

async fn messages(bed: &Bed, user: &UserId, id: &str) -> Option<Vec<u64>> {
    let page = bed.to_device.for_dehydrated(&actor(user, "PHONE"), id.into(), Position::START, 100).await;
    page.expect("a page").map(|page| numbers(&page))
}

async fn listed(bed: &Bed, user: &UserId) -> Vec<String> {
    let told = bed.told(&actor(user, "PHONE"), user).await;
    told["devices"].as_object().expect("devices").keys().cloned().collect()
}

async fn changed(bed: &Bed, user: &OwnedUserId) -> Option<Position> {
    bed.db.snapshot().get::<DeviceLists>(user).await.expect("a row")
}

#[tokio::test(start_paused = true)]
async fn one_takes_the_place_of_the_former_with_all_that_was_kept() {
    let bed = Bed::new();
    let alice = bed.user("alice", &["PHONE"]).await;
    let phone = actor(&alice, "PHONE");
    let mut before = changed(&bed, &alice).await;
    for (number, id) in ["FIRST", "SECOND"].into_iter().enumerate() {
        let number = number as u64;
        dehydrate(&bed, &alice, id, &Signer::new(1)).await.expect("dehydrated");
        let now = changed(&bed, &alice).await;
        assert!(now > before);
        before = now;
        assert_eq!(listed(&bed, &alice).await, [id]);
        let to = [(&*alice, "FIRST"), (&*alice, "SECOND")];
        bed.send(&phone, &format!("t{number}"), &to, number).await.expect("sent");
        assert_eq!(messages(&bed, &alice, id).await, Some(vec![number]), "{id}");
    }
    assert_eq!(messages(&bed, &alice, "FIRST").await, None);
    assert_eq!(messages(&bed, &alice, "PHONE").await, None);
    assert_eq!(claimed(&bed, &alice, "FIRST", 1).await, Vec::<String>::new());
    assert_eq!(claimed(&bed, &alice, "SECOND", 1).await, ["signed_curve25519:00000"]);

    bed.sweep_ended().await;
    let rows = (bed.rows::<DeviceKeys>().await, bed.rows::<OneTimeKeys>().await);
    let others = (bed.rows::<FallbackKeys>().await, bed.rows::<KeyCounts>().await);
    assert_eq!((rows, others, bed.stored().await), ((1, 1), (1, 1), 1));
    assert_eq!(bed.rows::<ListedDevices>().await, 1);

    let bed = bed.restarted().await;
    assert_eq!(listed(&bed, &alice).await, ["SECOND"]);
    assert_eq!(messages(&bed, &alice, "SECOND").await, Some(vec![1]));
    let gone = bed.accounts.delete_dehydrated_device(&phone).await.expect("a deletion");
    assert_eq!(gone.as_deref().map(DeviceId::as_str), Some("SECOND"));
    assert_eq!(listed(&bed, &alice).await, Vec::<String>::new());
    assert!(changed(&bed, &alice).await > before);
}

/// The answer to the first was lost.
#[tokio::test(start_paused = true)]
async fn the_same_request_again_changes_nothing() {
    let bed = Bed::new();
    let alice = bed.user("alice", &["PHONE"]).await;
    dehydrate(&bed, &alice, "DRY", &Signer::new(1)).await.expect("dehydrated");
    bed.send(&actor(&alice, "PHONE"), "t", &[(&alice, "DRY")], 7).await.expect("sent");
    assert_eq!(claimed(&bed, &alice, "DRY", 1).await, ["signed_curve25519:00000"]);
    let before = changed(&bed, &alice).await;
    dehydrate(&bed, &alice, "DRY", &Signer::new(1)).await.expect("dehydrated");
    assert_eq!(changed(&bed, &alice).await, before);
    assert_eq!(messages(&bed, &alice, "DRY").await, Some(vec![7]));
    // What was claimed is not handed out again; then comes the fallback key.
    let rest = claimed(&bed, &alice, "DRY", 2).await;
    assert_eq!(rest, ["signed_curve25519:00001", "signed_curve25519:00009"]);

    // Other keys of that id are another device.
    dehydrate(&bed, &alice, "DRY", &Signer::new(2)).await.expect("dehydrated");
    assert!(changed(&bed, &alice).await > before);
    assert_eq!(messages(&bed, &alice, "DRY").await, Some(Vec::new()));
    assert_eq!(claimed(&bed, &alice, "DRY", 1).await, ["signed_curve25519:00000"]);
    bed.sweep_ended().await;
    assert_eq!((bed.rows::<DeviceKeys>().await, bed.rows::<OneTimeKeys>().await), (1, 1));
    assert_eq!(listed(&bed, &alice).await, ["DRY"]);
}

/// Hostile input, row 90: the rules are those of `/keys/upload`, and what is refused leaves the former device alone.
#[tokio::test(start_paused = true)]
async fn row_90_what_is_refused_leaves_the_former_device() {
    let bed = Bed::new();
    let alice = bed.user("alice", &["PHONE", "OTHER"]).await;
    let bob = bed.user("bob", &[]).await;
    let key = Signer::new(1);
    dehydrate(&bed, &alice, "FIRST", &key).await.expect("dehydrated");
    let phone = actor(&alice, "PHONE");
    let with = |change: &dyn Fn(&mut Upload)| {
        let mut upload = keys(&alice, "DRY", &key);
        change(&mut upload);
        upload
    };
    let refused = [
        with(&|upload| upload.device_keys = None),
        with(&|upload| upload.device_keys = Some(key.device_keys(&alice, "OTHER"))),
        with(&|upload| upload.device_keys = Some(key.device_keys(&bob, "DRY"))),
        with(&|upload| upload.device_keys = Some(json("{}"))),
        with(&|upload| upload.one_time_keys = Some(key.one_time_keys(&alice, "OTHER", 0..1))),
        with(&|upload| upload.fallback_keys = Some(key.one_time_keys(&alice, "DRY", 0..2))),
        with(&|upload| {
            let many = u32::try_from(MAX_ONE_TIME_KEYS).expect("a number") + 1;
            upload.one_time_keys = Some(key.one_time_keys(&alice, "DRY", 0..many));
        }),
    ];
    for upload in refused {
        let refused = bed.keys.dehydrate(&phone, device("DRY"), &upload).await;
        assert!(refused.is_err(), "{upload:?}");
        assert_eq!(listed(&bed, &alice).await, ["FIRST"]);
    }
    let forged = with(&|upload| {
        let mut keys = key.device_keys(&alice, "DRY");
        keys.insert("dehydrated".to_owned(), true.into());
        upload.device_keys = Some(keys);
    });
    let refused = bed.keys.dehydrate(&phone, device("DRY"), &forged).await;
    assert!(matches!(refused, Err(PublishError::Rejected(KeyRejected::InvalidSignature))));
    // A session does not become one.
    let refused = dehydrate(&bed, &alice, "OTHER", &key).await;
    assert!(matches!(refused, Err(PublishError::Dehydration(DehydrationError::InUse))));
    assert_eq!(bed.rows::<DehydratedDevices>().await, 1);
    assert_eq!(messages(&bed, &alice, "FIRST").await, Some(Vec::new()));
}

/// Two clients of a user, each at its start.
#[tokio::test(start_paused = true)]
async fn of_two_at_once_one_is_left() {
    let bed = Bed::new();
    let alice = bed.user("alice", &["PHONE"]).await;
    let (one, other) = (Signer::new(1), Signer::new(2));
    let both = tokio::join!(dehydrate(&bed, &alice, "ONE", &one), dehydrate(&bed, &alice, "OTHER", &other));
    assert!(both.0.is_ok() && both.1.is_ok());
    assert_eq!(listed(&bed, &alice).await.len(), 1);
    bed.sweep_ended().await;
    assert_eq!((bed.rows::<DeviceKeys>().await, bed.rows::<OneTimeKeys>().await), (1, 2));
}
