//! What a user has published, as clients get it.
//!
//! Owns: reading it, the texts, which signatures everybody sees: those of a device's own user on it, and those of devices on the master key of their user
//! (client-server API, "Key and signature security"). Does not own: what single readers see besides ([`super::querying`]).
//!
//! Invariants: everything in it changes in batches that move the user's device list, and with the end of the account, which moves it too:
//! of a device that ended nothing is shown from the batch of its end on, whenever its rows go.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use plop_accounts::schema::{DeviceRow, Devices};
use plop_db::{KeyRange, Keyspace, Pages, ReadError, Snapshot};
use plop_state::json::TextWriter;
use ruma::{OwnedDeviceId, OwnedUserId, UserId};

use super::is_active;
use super::published::{Signatures, member, shown};
use crate::schema::{
    CrossSigningKeyRow, CrossSigningKeys, DeviceKeys, DeviceKeysRow, Inbox, KeyUsage, MasterKeySignatureRow,
    MasterKeySignatures,
};

/// Rows of a user that are read at once.
const PAGE: usize = 500;
/// What a user takes in memory besides texts, and what a device does; about.
const USER_BYTES: usize = 512;
const DEVICE_BYTES: usize = 128;

/// The keys of a user.
#[derive(Debug, Default)]
pub(super) struct PublicKeys {
    /// An object of all devices.
    devices: String,
    /// Where in it each of them stands.
    places: BTreeMap<OwnedDeviceId, Range<usize>>,
    pub master: Option<MasterKey>,
    pub self_signing: Option<String>,
    /// For its user only.
    pub user_signing: Option<UserSigningKey>,
}

/// A master key.
#[derive(Debug)]
pub(super) struct MasterKey {
    row: CrossSigningKeyRow,
    /// By the identifiers of the devices' keys.
    by_devices: BTreeMap<String, String>,
    /// With these signatures.
    pub text: String,
}

/// A user-signing key.
#[derive(Debug)]
pub(super) struct UserSigningKey {
    /// The ed25519 key, in base64.
    pub public: String,
    pub text: String,
}

impl PublicKeys {
    /// As they are; nothing for a user who is not there, or whose account has ended.
    pub async fn read(snapshot: &Snapshot, user: &OwnedUserId) -> Result<Self, ReadError> {
        if !is_active(snapshot, user).await? {
            return Ok(Self::nothing());
        }
        let usages = [KeyUsage::Master, KeyUsage::SelfSigning, KeyUsage::UserSigning];
        let names = usages.map(|usage| (user.clone(), usage));
        let mut rows = snapshot.get_many::<CrossSigningKeys>(&names).await?.into_iter();
        let mut next = || rows.next().flatten();
        let (master, self_signing, user_signing) = (next(), next(), next());
        let devices = all_rows::<Devices>(snapshot, user).await?;
        let mut keys = Self::of_devices(snapshot, user, &devices, self_signing.as_ref()).await?;
        if let Some(master) = master {
            keys.master = Some(MasterKey::read(snapshot, user, master, &devices).await?);
        }
        keys.self_signing = self_signing.map(|key| by_master(user, &key));
        keys.user_signing = user_signing.map(|key| {
            let text = by_master(user, &key);
            UserSigningKey { public: key.public, text }
        });
        Ok(keys)
    }

    /// Those of a user who has none.
    fn nothing() -> Self {
        Self { devices: "{}".to_owned(), ..Self::default() }
    }

    async fn of_devices(
        snapshot: &Snapshot,
        user: &OwnedUserId,
        devices: &[((OwnedUserId, OwnedDeviceId), DeviceRow)],
        self_signing: Option<&CrossSigningKeyRow>,
    ) -> Result<Self, ReadError> {
        let (mut out, mut places) = ("{".to_owned(), BTreeMap::new());
        for devices in devices.chunks(PAGE) {
            let inboxes: Vec<Inbox> =
                devices.iter().map(|((user, id), row)| (user.clone(), id.clone(), row.since)).collect();
            let rows = snapshot.get_many::<DeviceKeys>(&inboxes).await?;
            for (((_, id), device), row) in devices.iter().zip(rows) {
                let Some(row) = row else { continue };
                member(&mut out, places.len(), id.as_str());
                let start = out.len();
                out.push_str(&one_device(user, id, device, &row, self_signing));
                places.insert(id.clone(), start..out.len());
            }
        }
        out.push('}');
        Ok(Self { devices: out, places, ..Self::default() })
    }

    /// The keys of all devices by their names: a JSON object.
    pub fn devices(&self) -> &str {
        &self.devices
    }

    /// The same of those that are named and there.
    pub fn named_devices(&self, names: &[OwnedDeviceId]) -> String {
        let names: BTreeSet<_> = names.iter().collect();
        let mut out = TextWriter::new();
        out.object();
        for name in names {
            let text = self.places.get(name).and_then(|place| self.devices.get(place.clone()));
            if let Some(text) = text {
                out.key(name.as_str());
                out.text(text);
            }
        }
        out.finish()
    }

    /// What they take in memory, about.
    pub fn bytes(&self) -> usize {
        let master = self.master.as_ref().map_or(0, |master| {
            let signatures: usize = master.by_devices.iter().map(|(by, text)| by.len() + text.len()).sum();
            master.row.key.0.len() + master.text.len() + signatures + master.by_devices.len() * DEVICE_BYTES
        });
        let names: usize = self.places.keys().map(|name| name.as_str().len() + DEVICE_BYTES).sum();
        let others = self.self_signing.as_ref().map_or(0, String::len)
            + self.user_signing.as_ref().map_or(0, |key| key.text.len());
        USER_BYTES + self.devices.len() + names + master + others
    }
}

impl MasterKey {
    async fn read(
        snapshot: &Snapshot,
        user: &OwnedUserId,
        row: CrossSigningKeyRow,
        devices: &[((OwnedUserId, OwnedDeviceId), DeviceRow)],
    ) -> Result<Self, ReadError> {
        let present: BTreeSet<_> = devices.iter().map(|((_, id), device)| (id, device.since)).collect();
        let on_it = all_rows::<MasterKeySignatures>(snapshot, user).await?;
        let counts = |((_, device, since), signature): &(Inbox, MasterKeySignatureRow)| {
            signature.master == row.public && present.contains(&(device, *since))
        };
        let by_devices: BTreeMap<_, _> = on_it
            .into_iter()
            .filter(counts)
            .map(|((_, device, _), row)| (format!("ed25519:{device}"), row.signature))
            .collect();
        let text = shown(&row.key.0, &signatures(user, &by_devices), None);
        Ok(Self { row, by_devices, text })
    }

    /// The ed25519 key, in base64.
    pub fn public(&self) -> &str {
        &self.row.public
    }

    /// With the signature of another user's key, too.
    pub fn signed_by(&self, user: &UserId, (signer, key, signature): (&UserId, &str, &str)) -> String {
        let mut signatures = signatures(user, &self.by_devices);
        signatures.entry(signer.as_str()).or_default().insert(format!("ed25519:{key}"), signature);
        shown(&self.row.key.0, &signatures, None)
    }
}

fn signatures<'a>(user: &'a UserId, by: &'a BTreeMap<String, String>) -> Signatures<'a> {
    let mut signatures = Signatures::new();
    if !by.is_empty() {
        let by = by.iter().map(|(key, signature)| (key.clone(), signature.as_str()));
        signatures.insert(user.as_str(), by.collect());
    }
    signatures
}

/// A key that the master key signed.
fn by_master(user: &UserId, key: &CrossSigningKeyRow) -> String {
    let mut signatures = Signatures::new();
    if let Some(by) = &key.signature {
        let signature = (format!("ed25519:{}", by.key), by.signature.as_str());
        signatures.insert(user.as_str(), BTreeMap::from([signature]));
    }
    shown(&key.key.0, &signatures, None)
}

fn one_device(
    user: &UserId,
    id: &OwnedDeviceId,
    device: &DeviceRow,
    row: &DeviceKeysRow,
    self_signing: Option<&CrossSigningKeyRow>,
) -> String {
    let mut by = BTreeMap::new();
    if let Some(signature) = &row.signature {
        by.insert(format!("ed25519:{id}"), signature.as_str());
    }
    if let (Some(signature), Some(key)) = (&row.self_signature, self_signing)
        && signature.key == key.public
    {
        by.insert(format!("ed25519:{}", signature.key), signature.signature.as_str());
    }
    let mut signatures = Signatures::new();
    if !by.is_empty() {
        signatures.insert(user.as_str(), by);
    }
    shown(&row.keys.0, &signatures, device.display_name.as_deref())
}

/// All rows of a user.
async fn all_rows<K: Keyspace>(
    snapshot: &Snapshot,
    user: &OwnedUserId,
) -> Result<Vec<(K::Key, K::Value)>, ReadError> {
    let mut pages = Pages::new(KeyRange::<K>::prefix(user), PAGE);
    let mut all = Vec::new();
    while let Some(rows) = pages.next(snapshot).await? {
        all.extend(rows);
    }
    Ok(all)
}
