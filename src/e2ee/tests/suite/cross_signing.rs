//! Cross-signing: what is published, who signs what, who sees it.

use plop_accounts::uia::UiaOperation;
use plop_base::Actor;
use plop_bed::Signer;
use plop_e2ee::keys::{
    CrossSigningUpload, KeyRejected, PublishError, SignatureRefused, SignatureUpload, Upload,
};
use plop_e2ee::schema::{CrossSigningKeys, MasterKeySignatures, SignatureChanges, UserSignatures};
use plop_state::json::{Object, Value};

use crate::bed::{Bed, actor, bridge};
use crate::people::{Person, people, signed, signers};

#[tokio::test(start_paused = true)]
async fn the_first_keys_need_no_consent_the_same_ones_need_none_others_do() {
    let bed = Bed::new();
    let (alice, bob) = people(&bed).await;
    let upload = async |actor: &Actor, upload: CrossSigningUpload, authorized| {
        bed.keys.upload_cross_signing(actor, &upload, authorized).await
    };
    let only_master = || CrossSigningUpload { master: alice.upload().master, ..Default::default() };
    for _ in 0..2 {
        upload(&alice.actor(), only_master(), None).await.expect("published");
    }
    // Another key, more keys, one of the keys and another one.
    let other = Signer::new(99).cross_signing_key(&alice.id, "master", None);
    let other = || CrossSigningUpload { master: Some(other.clone()), ..Default::default() };
    for upload_more in [other(), alice.upload(), CrossSigningUpload { master: None, ..alice.upload() }] {
        let refused = upload(&alice.actor(), upload_more, None).await;
        assert!(matches!(refused, Err(PublishError::NeedsConsent)), "{refused:?}");
    }
    // What somebody else has authorised, or the user for something else.
    let deleting = plop_bed::authorized(&bed.accounts, &alice.actor(), UiaOperation::DeleteDevices).await;
    for authorized in [bob.authorized(&bed).await, Some(deleting)] {
        let refused = upload(&alice.actor(), alice.upload(), authorized).await;
        assert!(matches!(refused, Err(PublishError::NeedsConsent)), "{refused:?}");
    }
    upload(&alice.actor(), alice.upload(), alice.authorized(&bed).await).await.expect("published");
    upload(&alice.actor(), alice.upload(), None).await.expect("published");
    assert_eq!(bed.rows::<CrossSigningKeys>().await, 3);
    // Another master key takes with it what the one before has signed.
    upload(&bridge(&alice.id), other(), None).await.expect("published");
    assert_eq!(bed.rows::<CrossSigningKeys>().await, 1);
}

/// Hostile input, rows 90 and 91.
#[tokio::test(start_paused = true)]
async fn row_90_cross_signing_keys_that_are_none_are_never_stored() {
    let bed = Bed::new();
    let (alice, bob) = people(&bed).await;
    let refused = async |upload: CrossSigningUpload| {
        let refused =
            bed.keys.upload_cross_signing(&alice.actor(), &upload, alice.authorized(&bed).await).await;
        refused.expect_err("refused")
    };
    let master = |change: &dyn Fn(&mut Object)| {
        let mut key = alice.master.cross_signing_key(&alice.id, "master", None);
        change(&mut key);
        CrossSigningUpload { master: Some(key), ..Default::default() }
    };
    let public = alice.master.public();
    let keys = |entries: &[(&str, &str)]| -> Value {
        let entries = entries.iter().map(|(id, key)| ((*id).to_owned(), Value::from(*key)));
        Value::from(entries.collect::<Object>())
    };
    let id = format!("ed25519:{public}");
    let other = format!("ed25519:{}", bob.master.public());
    for bad in [
        keys(&[]),
        keys(&[(&id, &public), (&other, &bob.master.public())]),
        keys(&[(&other, &public)]),
        keys(&[("ed25519:x", "x")]),
        Value::from("x"),
    ] {
        let error = refused(master(&|key| drop(key.insert("keys".to_owned(), bad.clone())))).await;
        assert!(matches!(error, PublishError::Rejected(KeyRejected::Malformed(_))), "{error:?}");
    }
    let error = refused(master(&|key| drop(key.insert("usage".to_owned(), vec!["x"].into())))).await;
    assert!(matches!(error, PublishError::Rejected(KeyRejected::Malformed(_))), "{error:?}");
    let error = refused(master(&|key| drop(key.insert("user_id".to_owned(), bob.id.as_str().into())))).await;
    assert!(matches!(error, PublishError::Rejected(KeyRejected::NotYours)), "{error:?}");
    let without = |signer: &Signer, by| Some(signer.cross_signing_key(&alice.id, "self_signing", by));
    for self_signing in [without(&alice.self_signing, None), without(&alice.self_signing, Some(&bob.master))]
    {
        let error = refused(CrossSigningUpload { self_signing, ..alice.upload() }).await;
        assert!(matches!(error, PublishError::Rejected(KeyRejected::InvalidSignature)), "{error:?}");
    }
    let error = refused(CrossSigningUpload { master: None, ..alice.upload() }).await;
    assert!(matches!(error, PublishError::NoMasterKey), "{error:?}");
    assert!(matches!(refused(CrossSigningUpload::default()).await, PublishError::NoMasterKey));
    // A device that is named like a key.
    bed.device(&alice.id, &public).await;
    assert!(matches!(refused(alice.upload()).await, PublishError::NameClash));
    assert_eq!(bed.rows::<CrossSigningKeys>().await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_device_that_is_named_like_a_key_publishes_none() {
    let bed = Bed::new();
    let (alice, _) = people(&bed).await;
    alice.publish(&bed).await;
    let name = alice.self_signing.public();
    bed.device(&alice.id, &name).await;
    let upload =
        Upload { device_keys: Some(Signer::new(7).device_keys(&alice.id, &name)), ..Upload::default() };
    let refused = bed.keys.upload(&actor(&alice.id, &name), &upload).await;
    assert!(matches!(refused, Err(PublishError::NameClash)), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn everybody_sees_what_is_theirs_to_see() {
    let bed = Bed::new();
    let (alice, bob) = people(&bed).await;
    alice.publish(&bed).await;
    bob.publish(&bed).await;
    let sign = async |by: &Person, upload: SignatureUpload| {
        let refused = bed.keys.upload_signatures(&by.actor(), &upload).await.expect("looked at");
        assert!(refused.is_empty(), "{refused:?}");
    };
    sign(&alice, signed(&alice, "PHONE", alice.device_signed())).await;
    let by_device = alice.master_signed(&alice.device, &alice.id, "PHONE");
    sign(&alice, signed(&alice, &alice.master.public(), by_device)).await;
    let by_bob = alice.master_signed(&bob.user_signing, &bob.id, &bob.user_signing.public());
    sign(&bob, signed(&alice, &alice.master.public(), by_bob)).await;

    let key = |signer: &Signer| format!("ed25519:{}", signer.public());
    let phone = "ed25519:PHONE".to_owned();
    let mut device_signers = vec![phone.clone(), key(&alice.self_signing)];
    device_signers.sort();
    for (by, master, has_user_signing) in
        [(&alice, vec![phone.clone()], true), (&bob, vec![phone.clone(), key(&bob.user_signing)], false)]
    {
        let told = bed.told(&by.actor(), &alice.id).await;
        assert_eq!(signers(&told["devices"]["PHONE"]), device_signers);
        assert_eq!(signers(&told["master"]), master);
        assert_eq!(signers(&told["self_signing"]), [key(&alice.master)]);
        assert_eq!(told["user_signing"].is_object(), has_user_signing);
    }
    // Who replaces the keys has signed nothing with them.
    let mut upload = bob.upload();
    let others = Signer::new(77);
    upload.user_signing = Some(others.cross_signing_key(&bob.id, "user_signing", Some(&bob.master)));
    bed.keys
        .upload_cross_signing(&bob.actor(), &upload, bob.authorized(&bed).await)
        .await
        .expect("published");
    assert_eq!(signers(&bed.told(&bob.actor(), &alice.id).await["master"]), [phone]);
}

/// Everybody who shares a room asks for the keys when somebody's list has changed.
#[tokio::test(start_paused = true)]
async fn a_signature_that_is_there_tells_nobody_anything() {
    let bed = Bed::new();
    let (alice, bob) = people(&bed).await;
    alice.publish(&bed).await;
    bob.publish(&bed).await;
    let by_device = alice.master_signed(&alice.device, &alice.id, "PHONE");
    let of_bob = bob.master_signed(&alice.user_signing, &alice.id, &alice.user_signing.public());
    let uploads = [
        signed(&alice, "PHONE", alice.device_signed()),
        signed(&alice, &alice.master.public(), by_device),
        signed(&bob, &bob.master.public(), of_bob),
    ];
    for is_new in [true, false, false] {
        for upload in &uploads {
            let before = bed.db.published();
            let refused = bed.keys.upload_signatures(&alice.actor(), upload).await.expect("looked at");
            assert!(refused.is_empty(), "{refused:?}");
            assert_eq!(bed.db.published() > before, is_new, "{upload:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn keys_that_are_there_are_taken_with_a_new_signature() {
    let bed = Bed::new();
    let (alice, bob) = people(&bed).await;
    alice.publish(&bed).await;
    let master = Some(alice.master_signed(&alice.device, &alice.id, "PHONE"));
    for is_new in [true, false] {
        let before = bed.db.published();
        let upload = CrossSigningUpload { master: master.clone(), ..alice.upload() };
        let published = bed.keys.upload_cross_signing(&alice.actor(), &upload, None).await;
        published.expect("published");
        assert_eq!(bed.db.published() > before, is_new);
        assert_eq!(signers(&bed.told(&bob.actor(), &alice.id).await["master"]), ["ed25519:PHONE"]);
    }
    assert_eq!(bed.rows::<CrossSigningKeys>().await, 3);
}

#[tokio::test(start_paused = true)]
async fn a_device_with_another_key_has_signed_no_master_key() {
    let bed = Bed::new();
    let (alice, _) = people(&bed).await;
    alice.publish(&bed).await;
    let by_device = alice.master_signed(&alice.device, &alice.id, "PHONE");
    let upload = signed(&alice, &alice.master.public(), by_device);
    bed.keys.upload_signatures(&alice.actor(), &upload).await.expect("taken");
    assert_eq!(bed.rows::<MasterKeySignatures>().await, 1);
    let device_keys = Some(Signer::new(88).device_keys(&alice.id, "PHONE"));
    bed.keys.upload(&alice.actor(), &Upload { device_keys, ..Upload::default() }).await.expect("published");
    assert_eq!(bed.rows::<MasterKeySignatures>().await, 0);
    let master = &bed.told(&alice.actor(), &alice.id).await["master"];
    assert_eq!(signers(master), Vec::<String>::new());
}

/// Hostile input, row 91.
#[tokio::test(start_paused = true)]
async fn row_91_signatures_that_are_none_are_told_and_not_stored() {
    let bed = Bed::new();
    let (alice, bob) = people(&bed).await;
    alice.publish(&bed).await;
    bob.publish(&bed).await;
    let stranger = Signer::new(66);
    let wrong_key = |by: &Signer, named: &Signer| {
        let mut keys = alice.device.device_keys(&alice.id, "PHONE");
        by.sign(&mut keys, &alice.id, &named.public());
        signed(&alice, "PHONE", keys)
    };
    let other_device = {
        let mut keys = stranger.device_keys(&alice.id, "PHONE");
        alice.self_signing.sign(&mut keys, &alice.id, &alice.self_signing.public());
        signed(&alice, "PHONE", keys)
    };
    let bobs = bob.master.public();
    let by = |signer: &Signer, person: &Person| {
        signed(&bob, &bobs, bob.master_signed(signer, &person.id, &signer.public()))
    };
    use SignatureRefused::{InvalidSignature, OtherKey, UnknownKey};
    for (upload, expected) in [
        (wrong_key(&stranger, &stranger), InvalidSignature),
        (wrong_key(&stranger, &alice.self_signing), InvalidSignature),
        (wrong_key(&alice.user_signing, &alice.user_signing), InvalidSignature),
        (other_device, OtherKey),
        (signed(&alice, "GONE", alice.device_signed()), UnknownKey),
        // The device of somebody else, and their master key with keys that sign no others'.
        (signed(&bob, "PHONE", bob.device_signed()), UnknownKey),
        (by(&alice.self_signing, &alice), InvalidSignature),
        (by(&alice.user_signing, &bob), InvalidSignature),
        (by(&stranger, &alice), InvalidSignature),
        (signed(&bob, &bobs, alice.master_signed(&alice.user_signing, &alice.id, "x")), OtherKey),
        (
            signed(&alice, &alice.master.public(), alice.master_signed(&stranger, &alice.id, "PHONE")),
            InvalidSignature,
        ),
    ] {
        let refused = bed.keys.upload_signatures(&alice.actor(), &upload).await.expect("looked at");
        let why: Vec<&SignatureRefused> = refused.values().flat_map(|keys| keys.values()).collect();
        assert_eq!(why, [&expected], "{upload:?}");
    }
    assert_eq!((bed.rows::<MasterKeySignatures>().await, bed.rows::<UserSignatures>().await), (0, 0));
    let told = bed.told(&alice.actor(), &alice.id).await;
    assert_eq!(signers(&told["devices"]["PHONE"]), ["ed25519:PHONE"]);
    // One that is refused keeps no other from being taken.
    let mut both = wrong_key(&stranger, &stranger);
    both.extend(by(&alice.user_signing, &alice));
    let refused = bed.keys.upload_signatures(&alice.actor(), &both).await.expect("looked at");
    assert_eq!(refused.keys().collect::<Vec<_>>(), [&alice.id]);
    let again = by(&alice.user_signing, &alice);
    bed.keys.upload_signatures(&alice.actor(), &again).await.expect("taken");
    assert_eq!((bed.rows::<UserSignatures>().await, bed.rows::<SignatureChanges>().await), (1, 1));
}
