//! Users with a device that has keys, and with cross-signing keys.

use plop_accounts::uia::{Authorized, UiaOperation};
use plop_base::Actor;
use plop_bed::Signer;
use plop_e2ee::keys::{CrossSigningUpload, SignatureUpload, Upload};
use plop_state::json::{Object, Value};
use ruma::{OwnedUserId, UserId};
use serde_json::Value as Json;

use crate::bed::{Bed, actor};

/// A user with a device that has keys, and cross-signing keys that are not published yet.
pub struct Person {
    pub id: OwnedUserId,
    pub device: Signer,
    pub master: Signer,
    pub self_signing: Signer,
    pub user_signing: Signer,
}

impl Person {
    pub async fn new(bed: &Bed, name: &str, number: u8) -> Self {
        let id = bed.user(name, &["PHONE"]).await;
        let [device, master, self_signing, user_signing] =
            [0, 1, 2, 3].map(|more| Signer::new(number + more));
        let device_keys = Some(device.device_keys(&id, "PHONE"));
        let upload = Upload { device_keys, ..Upload::default() };
        bed.keys.upload(&actor(&id, "PHONE"), &upload).await.expect("published");
        Self { id, device, master, self_signing, user_signing }
    }

    pub fn actor(&self) -> Actor {
        actor(&self.id, "PHONE")
    }

    /// What lets them replace keys.
    pub async fn authorized(&self, bed: &Bed) -> Option<Authorized> {
        let operation = UiaOperation::ReplaceCrossSigningKeys;
        Some(plop_bed::authorized(&bed.accounts, &self.actor(), operation).await)
    }

    pub fn upload(&self) -> CrossSigningUpload {
        let key = |signer: &Signer, usage, by| Some(signer.cross_signing_key(&self.id, usage, by));
        CrossSigningUpload {
            master: key(&self.master, "master", None),
            self_signing: key(&self.self_signing, "self_signing", Some(&self.master)),
            user_signing: key(&self.user_signing, "user_signing", Some(&self.master)),
        }
    }

    pub async fn publish(&self, bed: &Bed) {
        let published = bed.keys.upload_cross_signing(&self.actor(), &self.upload(), None).await;
        published.expect("published");
    }

    /// The master key with a signature.
    pub fn master_signed(&self, by: &Signer, user: &UserId, name: &str) -> Object {
        let mut key = self.master.cross_signing_key(&self.id, "master", None);
        by.sign(&mut key, user, name);
        key
    }

    /// The device with a signature of the self-signing key.
    pub fn device_signed(&self) -> Object {
        let mut keys = self.device.device_keys(&self.id, "PHONE");
        self.self_signing.sign(&mut keys, &self.id, &self.self_signing.public());
        keys
    }
}

pub async fn people(bed: &Bed) -> (Person, Person) {
    (Person::new(bed, "alice", 10).await, Person::new(bed, "bob", 20).await)
}

/// Who has signed a key that was told.
pub fn signers(key: &Json) -> Vec<String> {
    let by_user = key["signatures"].as_object().into_iter().flatten();
    by_user.flat_map(|(_, by)| by.as_object().expect("keys").keys().cloned()).collect()
}

/// Signatures of one key.
pub fn signed(of: &Person, id: &str, object: Object) -> SignatureUpload {
    [(of.id.clone(), [(id.to_owned(), Value::from(object))].into())].into()
}
