//! What is kept of a device or an account that is gone.

use plop_accounts::schema::{DeviceListChanges, DeviceLists, ListedDevices};
use plop_bed::Signer;
use plop_db::Position;
use plop_e2ee::keys::{CrossSigningUpload, PublishError, Upload, key_count};
use plop_e2ee::schema::{
    CrossSigningKeys, DeviceKeys, FallbackKeys, KeyCounts, MasterKeySignatures, OneTimeKeys,
    SignatureChanges, UserSignatures,
};
use ruma::{UserId, device_id};
use serde_json::json;

use crate::bed::{Bed, actor, bridge};
use crate::people::{people, signed};

async fn publish(bed: &Bed, user: &UserId, device: &str, key: &Signer) {
    let upload = Upload {
        device_keys: Some(key.device_keys(user, device)),
        one_time_keys: Some(key.one_time_keys(user, device, 0..5)),
        fallback_keys: Some(key.one_time_keys(user, device, 9..10)),
    };
    bed.keys.upload(&actor(user, device), &upload).await.expect("published");
}

/// Where a user's device list changed last.
async fn changed(bed: &Bed, user: &UserId) -> Position {
    let last = bed.db.snapshot().get::<DeviceLists>(&user.to_owned()).await.expect("a row");
    let rows = bed.rows::<DeviceListChanges>().await;
    assert_eq!(rows, 1, "one row for the only user");
    last.expect("a change")
}

/// Hostile input, row 96.
#[tokio::test(start_paused = true)]
async fn row_96_a_device_that_is_deleted_is_gone_at_once_and_its_keys_soon() {
    let bed = Bed::new();
    let alice = bed.user("alice", &["PHONE", "PLAIN", "OTHER"]).await;
    publish(&bed, &alice, "PHONE", &Signer::new(1)).await;
    let published = changed(&bed, &alice).await;
    bed.logout(&alice, "PLAIN").await;
    assert_eq!(changed(&bed, &alice).await, published, "nobody had it on a list");
    bed.logout(&alice, "PHONE").await;
    assert!(changed(&bed, &alice).await > published);
    assert_eq!(bed.told(&actor(&alice, "OTHER"), &alice).await["devices"], json!({}));
    // A later device of that name has none of it.
    bed.device(&alice, "PHONE").await;
    let count = key_count(&bed.db.snapshot(), &alice, device_id!("PHONE")).await.expect("counts");
    assert_eq!((count.one_time["signed_curve25519"], count.unused_fallback.len()), (0, 0));
    publish(&bed, &alice, "PHONE", &Signer::new(2)).await;
    bed.sweep_ended().await;
    let keys = bed.rows::<OneTimeKeys>().await;
    let others = (bed.rows::<DeviceKeys>().await, bed.rows::<FallbackKeys>().await);
    assert_eq!((keys, others, bed.rows::<KeyCounts>().await), (5, (1, 1), 1));
    assert_eq!(bed.rows::<ListedDevices>().await, 1);
}

#[tokio::test(start_paused = true)]
async fn another_name_of_a_listed_device_is_a_change() {
    let bed = Bed::new();
    let alice = bed.user("alice", &["PHONE"]).await;
    publish(&bed, &alice, "PHONE", &Signer::new(1)).await;
    let mut before = changed(&bed, &alice).await;
    for (name, is_change) in [("one", true), ("one", false), ("other", true)] {
        let phone = actor(&alice, "PHONE");
        bed.accounts.update_device(&phone, device_id!("PHONE"), Some(name.to_owned())).await.expect("named");
        let after = changed(&bed, &alice).await;
        assert_eq!(after > before, is_change, "{name}");
        before = after;
    }
    // What is published already changes nothing.
    publish(&bed, &alice, "PHONE", &Signer::new(1)).await;
    assert_eq!(changed(&bed, &alice).await, before);
}

#[tokio::test(start_paused = true)]
async fn the_keys_of_a_user_go_with_the_account() {
    let bed = Bed::new();
    let alice = bed.user("alice", &["PHONE"]).await;
    let (device, master) = (Signer::new(1), Signer::new(2));
    publish(&bed, &alice, "PHONE", &device).await;
    let mut key = master.cross_signing_key(&alice, "master", None);
    device.sign(&mut key, &alice, "PHONE");
    let upload = CrossSigningUpload { master: Some(key), ..CrossSigningUpload::default() };
    let phone = actor(&alice, "PHONE");
    bed.keys.upload_cross_signing(&phone, &upload, None).await.expect("published");
    assert_eq!((bed.rows::<CrossSigningKeys>().await, bed.rows::<MasterKeySignatures>().await), (1, 1));
    plop_bed::deactivate(&bed.accounts, &phone, false).await.expect("deactivated");
    bed.sweep_ended().await;
    assert_eq!((bed.rows::<DeviceKeys>().await, bed.rows::<MasterKeySignatures>().await), (0, 0));
    assert_eq!(bed.rows::<CrossSigningKeys>().await, 0);
}

/// Those who have logged out everywhere, and users of application services.
#[tokio::test(start_paused = true)]
async fn the_keys_of_a_user_without_devices_go_with_the_account() {
    let bed = Bed::new();
    let (alice, bob) = people(&bed).await;
    alice.publish(&bed).await;
    bob.publish(&bed).await;
    let of_bob = bob.master_signed(&alice.user_signing, &alice.id, &alice.user_signing.public());
    let upload = signed(&bob, &bob.master.public(), of_bob);
    bed.keys.upload_signatures(&alice.actor(), &upload).await.expect("taken");
    bed.logout(&alice.id, "PHONE").await;
    bed.sweep_ended().await;
    let rows = async || {
        let signed = (bed.rows::<UserSignatures>().await, bed.rows::<SignatureChanges>().await);
        (bed.rows::<CrossSigningKeys>().await, signed)
    };
    assert_eq!(rows().await, (6, (1, 1)));
    plop_bed::deactivate(&bed.accounts, &alice.actor(), false).await.expect("deactivated");
    // What was on the way then comes too late, and leaves nothing behind the sweep.
    let mut late = alice.upload();
    late.master = Some(Signer::new(90).cross_signing_key(&alice.id, "master", None));
    let refused = bed.keys.upload_cross_signing(&bridge(&alice.id), &late, None).await;
    assert!(matches!(refused, Err(PublishError::AccountEnded)), "{refused:?}");
    let refused = bed.keys.upload_signatures(&bridge(&alice.id), &upload).await;
    assert!(matches!(refused, Err(PublishError::AccountEnded)), "{refused:?}");
    bed.keys.sweep(bed.clock.now()).await.expect("swept");
    assert_eq!(rows().await, (3, (0, 0)));
}
