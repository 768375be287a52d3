//! Queries: what is in memory is right, and saves the reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use plop_accounts::dehydrated::NewDehydratedDevice;
use plop_base::Actor;
use plop_bed::{Signer, delete_devices, json as object, server};
use plop_db::Batch;
use plop_e2ee::keys::{Keys, Upload, Wanted};
use ruma::{OwnedUserId, UserId};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::bed::{Bed, actor, told};
use crate::people::{Person, people, signed, signers};

/// What a server tells that has just been started.
async fn told_anew(bed: &Bed, reader: &Actor, user: &UserId) -> Value {
    told(&Keys::new(bed.db.clone(), bed.accounts.clone(), server()), reader, user).await
}

/// Expects that another answer is given than before, and that it is the one that the store would give.
async fn has_changed(bed: &Bed, readers: &[Actor], user: &UserId, before: &mut [Value], what: &str) {
    for (reader, before) in readers.iter().zip(before) {
        let now = bed.told(reader, user).await;
        assert_ne!(now, *before, "{what}");
        assert_eq!(now, told_anew(bed, reader, user).await, "{what}");
        *before = now;
    }
}

async fn answers(bed: &Bed, readers: &[Actor], user: &UserId) -> Vec<Value> {
    let mut answers = Vec::new();
    for reader in readers {
        answers.push(bed.told(reader, user).await);
    }
    answers
}

async fn publish(bed: &Bed, user: &UserId, device: &str, key: &Signer) {
    let upload = Upload { device_keys: Some(key.device_keys(user, device)), ..Upload::default() };
    bed.keys.upload(&actor(user, device), &upload).await.expect("published");
}

async fn rename(bed: &Bed, user: &UserId, device: &str, name: &str) {
    let name = Some(name.to_owned());
    bed.accounts.update_device(&actor(user, device), device.into(), name).await.expect("named");
}

#[tokio::test(start_paused = true)]
async fn every_change_of_keys_and_signatures_is_told_at_once() {
    let bed = Bed::new();
    let (alice, bob) = people(&bed).await;
    bob.publish(&bed).await;
    let readers = [alice.actor(), bob.actor()];
    let mut before = answers(&bed, &readers, &alice.id).await;
    let sign = async |by: &Person, id: &str, key| {
        let refused = bed.keys.upload_signatures(&by.actor(), &signed(&alice, id, key)).await;
        assert!(refused.expect("looked at").is_empty());
    };
    let master = alice.master.public();

    alice.publish(&bed).await;
    has_changed(&bed, &readers, &alice.id, &mut before, "cross-signing keys").await;
    sign(&alice, "PHONE", alice.device_signed()).await;
    has_changed(&bed, &readers, &alice.id, &mut before, "a signature of a device").await;
    sign(&alice, &master, alice.master_signed(&alice.device, &alice.id, "PHONE")).await;
    has_changed(&bed, &readers, &alice.id, &mut before, "a signature by a device").await;
    let by_bob = alice.master_signed(&bob.user_signing, &bob.id, &bob.user_signing.public());
    sign(&bob, &master, by_bob).await;
    has_changed(&bed, &readers[1..], &alice.id, &mut before[1..], "the reader's signature").await;
    assert_eq!(bed.told(&readers[0], &alice.id).await, before[0], "which is nobody else's");
    bed.device(&alice.id, "TABLET").await;
    publish(&bed, &alice.id, "TABLET", &Signer::new(50)).await;
    has_changed(&bed, &readers, &alice.id, &mut before, "another device").await;
    publish(&bed, &alice.id, "TABLET", &Signer::new(51)).await;
    has_changed(&bed, &readers, &alice.id, &mut before, "other keys of a device").await;
    let mut upload = alice.upload();
    upload.master = Some(Signer::new(60).cross_signing_key(&alice.id, "master", None));
    let by_other = Some(Signer::new(60));
    let key = Signer::new(61).cross_signing_key(&alice.id, "self_signing", by_other.as_ref());
    (upload.self_signing, upload.user_signing) = (Some(key), None);
    let authorized = alice.authorized(&bed).await;
    bed.keys.upload_cross_signing(&alice.actor(), &upload, authorized).await.expect("published");
    has_changed(&bed, &readers, &alice.id, &mut before, "another master key").await;
    assert!(signers(&before[1]["master"]).is_empty());
}

#[tokio::test(start_paused = true)]
async fn every_change_of_devices_is_told_at_once() {
    let bed = Bed::new();
    let (alice, bob) = people(&bed).await;
    alice.publish(&bed).await;
    let readers = [alice.actor(), bob.actor()];
    bed.device(&alice.id, "TABLET").await;
    publish(&bed, &alice.id, "TABLET", &Signer::new(50)).await;
    let mut before = answers(&bed, &readers, &alice.id).await;

    rename(&bed, &alice.id, "TABLET", "Alice's tablet").await;
    has_changed(&bed, &readers, &alice.id, &mut before, "a name").await;
    let by_tablet = alice.master_signed(&Signer::new(50), &alice.id, "TABLET");
    let upload = signed(&alice, &alice.master.public(), by_tablet);
    bed.keys.upload_signatures(&alice.actor(), &upload).await.expect("taken");
    has_changed(&bed, &readers, &alice.id, &mut before, "a signature by a device").await;
    delete_devices(&bed.accounts, &alice.actor(), &["TABLET".into()]).await.expect("deleted");
    has_changed(&bed, &readers, &alice.id, &mut before, "a device that was deleted").await;
    assert!(signers(&before[1]["master"]).is_empty(), "it signs nothing any more");
    bed.sweep_ended().await;
    assert_eq!(answers(&bed, &readers, &alice.id).await, before);

    for (name, key) in [("first", 70), ("second", 70), ("second", 71)] {
        let data = object(r#"{"algorithm":"org.example"}"#);
        let device = NewDehydratedDevice { id: "COLD".into(), display_name: Some(name.to_owned()), data };
        let device_keys = Some(Signer::new(key).device_keys(&alice.id, "COLD"));
        let upload = Upload { device_keys, ..Upload::default() };
        bed.keys.dehydrate(&alice.actor(), device, &upload).await.expect("dehydrated");
        has_changed(&bed, &readers, &alice.id, &mut before, "a dehydrated device").await;
    }
    bed.accounts.delete_dehydrated_device(&alice.actor()).await.expect("deleted");
    has_changed(&bed, &readers, &alice.id, &mut before, "no dehydrated device").await;
    bed.logout(&alice.id, "PHONE").await;
    has_changed(&bed, &readers, &alice.id, &mut before, "the last device").await;
}

#[tokio::test(start_paused = true)]
async fn of_an_account_that_ended_nothing_is_told() {
    let bed = Bed::new();
    let (alice, bob) = people(&bed).await;
    let nothing = json!({ "devices": {}, "master": null, "self_signing": null, "user_signing": null });
    for has_device in [true, false] {
        let user = if has_device { &alice } else { &bob };
        let reader = [actor(if has_device { &bob.id } else { &alice.id }, "PHONE")];
        user.publish(&bed).await;
        if !has_device {
            bed.logout(&user.id, "PHONE").await;
        }
        let mut before = answers(&bed, &reader, &user.id).await;
        assert!(before[0]["master"].is_object());
        plop_bed::deactivate(&bed.accounts, &user.actor(), false).await.expect("deactivated");
        has_changed(&bed, &reader, &user.id, &mut before, "the end").await;
        assert_eq!(before[0], nothing);
        bed.sweep_ended().await;
        assert_eq!(answers(&bed, &reader, &user.id).await, before);
    }
}

/// Fifty users with two devices each.
async fn crowd(bed: &Bed) -> Vec<OwnedUserId> {
    let mut users = Vec::new();
    for number in 0..50 {
        let user = bed.user(&format!("user{number}"), &["ONE", "TWO"]).await;
        for device in ["ONE", "TWO"] {
            publish(bed, &user, device, &Signer::new(number)).await;
        }
        users.push(user);
    }
    users
}

fn all_of(users: &[OwnedUserId]) -> Wanted {
    users.iter().map(|user| (user.clone(), Vec::new())).collect()
}

/// Asks, and says how many reads that was.
async fn reads(bed: &Bed, reader: &Actor, wanted: &Wanted) -> u64 {
    let before = bed.reads();
    let queried = bed.keys.query(reader, wanted).await.expect("keys");
    assert_eq!(queried.users.len(), wanted.len());
    assert!(queried.users.values().all(|keys| keys.devices().contains(r#""ONE":{"#)));
    bed.reads() - before
}

#[tokio::test(start_paused = true)]
async fn a_second_query_reads_nothing_but_what_has_changed() {
    let bed = Bed::new();
    let users = crowd(&bed).await;
    let wanted = all_of(&users);
    let reader = actor(&users[0], "ONE");
    assert!(reads(&bed, &reader, &wanted).await > 50);
    assert_eq!(reads(&bed, &reader, &wanted).await, 0);
    assert_eq!(reads(&bed, &actor(&users[9], "TWO"), &wanted).await, 0, "for others, too");
    let one: Wanted = users.iter().map(|user| (user.clone(), vec!["ONE".into(), "GONE".into()])).collect();
    assert_eq!(reads(&bed, &reader, &one).await, 0, "for some of the devices, too");
    let queried = bed.keys.query(&reader, &one).await.expect("keys");
    assert!(queried.users.values().all(|keys| !keys.devices().contains("TWO")));

    rename(&bed, &users[7], "ONE", "another name").await;
    let again = reads(&bed, &reader, &wanted).await;
    assert!((1..12).contains(&again), "{again} reads for one user");
    assert_eq!(reads(&bed, &reader, &wanted).await, 0);
}

#[tokio::test(start_paused = true)]
async fn who_signs_reads_their_signatures_at_once() {
    let bed = Bed::new();
    let (alice, bob) = people(&bed).await;
    alice.publish(&bed).await;
    bob.publish(&bed).await;
    let of_bob = bob.master_signed(&alice.user_signing, &alice.id, &alice.user_signing.public());
    bed.keys
        .upload_signatures(&alice.actor(), &signed(&bob, &bob.master.public(), of_bob))
        .await
        .expect("taken");
    bed.told(&alice.actor(), &bob.id).await;
    let before = bed.reads();
    let told = bed.told(&alice.actor(), &bob.id).await;
    assert_eq!(signers(&told["master"]), [format!("ed25519:{}", alice.user_signing.public())]);
    assert_eq!(bed.reads() - before, 1, "one page");
}

/// The log of changes is bounded: what it missed is looked up, and what was told then is no less right.
#[tokio::test(start_paused = true)]
async fn many_changes_that_nobody_looked_at_cost_a_look_for_each_user() {
    let bed = Bed::new();
    let users = crowd(&bed).await;
    let (wanted, reader) = (all_of(&users), actor(&users[0], "ONE"));
    reads(&bed, &reader, &wanted).await;
    rename(&bed, &users[7], "ONE", "another name").await;
    for _ in 0..1_500 {
        bed.db.commit(Batch::durable()).await.expect("committed");
    }
    let looked = reads(&bed, &reader, &wanted).await;
    assert!((50..70).contains(&looked), "{looked}");
    let told = bed.told(&reader, &users[7]).await;
    assert_eq!(told["devices"]["ONE"]["unsigned"]["device_display_name"], "another name");
    assert_eq!(reads(&bed, &reader, &wanted).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_is_told_less_than_was_acknowledged_before_they_asked() {
    const CHANGES: u64 = 300;
    let bed = Arc::new(Bed::new());
    let (alice, bob) = people(&bed).await;
    let acknowledged = Arc::new(AtomicU64::new(0));
    rename(&bed, &alice.id, "PHONE", "0").await;
    let mut asking = JoinSet::new();
    for _ in 0..3 {
        let (bed, acknowledged) = (Arc::clone(&bed), Arc::clone(&acknowledged));
        let (user, reader) = (alice.id.clone(), bob.actor());
        asking.spawn(async move {
            let mut last = 0;
            while last < CHANGES {
                let expected = acknowledged.load(Ordering::SeqCst);
                let told = bed.told(&reader, &user).await;
                let name = &told["devices"]["PHONE"]["unsigned"]["device_display_name"];
                let name: u64 = name.as_str().expect("a name").parse().expect("a number");
                assert!(name >= expected.max(last), "{name} after {expected} and {last}");
                last = name;
                tokio::task::yield_now().await;
            }
        });
    }
    for number in 1..=CHANGES {
        rename(&bed, &alice.id, "PHONE", &number.to_string()).await;
        acknowledged.store(number, Ordering::SeqCst);
    }
    while let Some(asked) = asking.join_next().await {
        asked.expect("always right");
    }
}
