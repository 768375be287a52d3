//! Queries (client-server API, `POST /keys/query`).
//!
//! Owns: which keys and which signatures who may see. Does not own: which of them a client believes.
//!
//! Invariants: of signatures a user sees their own, those of a device's own user on it, and those of devices on the master key of their user (client-server API,
//! "Key and signature security"); a user-signing key is shown to its user only. All of an answer is of one moment.

use std::collections::{BTreeMap, BTreeSet};

use plop_accounts::schema::{DeviceRow, Devices};
use plop_base::Actor;
use plop_db::{KeyRange, Keyspace, Pages, Position, ReadError, Snapshot};
use ruma::{OwnedDeviceId, OwnedServerName, OwnedUserId, UserId};

use super::error::QueryError;
use super::published::{Signatures, shown};
use super::{Keys, MAX_QUERIED};
use crate::schema::{
    CrossSigningKeyRow, CrossSigningKeys, DeviceKeys, DeviceKeysRow, KeyUsage, MasterKeySignatures,
    UserSignatureRow, UserSignatures,
};

/// Whose keys are wanted: of some devices, or of all.
pub type Wanted = BTreeMap<OwnedUserId, Vec<OwnedDeviceId>>;

/// Rows of a user that are read at once.
const PAGE: usize = 500;

/// Keys as JSON texts.
#[derive(Debug, Default)]
pub struct Queried {
    /// Of every user of this server who was asked about, perhaps none.
    pub devices: BTreeMap<OwnedUserId, BTreeMap<OwnedDeviceId, String>>,
    pub master: BTreeMap<OwnedUserId, String>,
    pub self_signing: BTreeMap<OwnedUserId, String>,
    pub user_signing: BTreeMap<OwnedUserId, String>,
    /// Servers that were not asked.
    pub elsewhere: BTreeSet<OwnedServerName>,
}

impl Keys {
    /// The keys of users.
    pub async fn query(&self, actor: &Actor, wanted: &Wanted) -> Result<Queried, QueryError> {
        let reader = actor.user_id().ok_or(QueryError::NoUser)?;
        if wanted.len() > MAX_QUERIED || wanted.values().map(Vec::len).sum::<usize>() > MAX_QUERIED {
            return Err(QueryError::TooMany);
        }
        let mut queried = Queried::default();
        let (here, elsewhere): (Vec<_>, Vec<_>) =
            wanted.iter().partition(|(user, _)| user.server_name() == self.0.server);
        queried.elsewhere.extend(elsewhere.into_iter().map(|(user, _)| user.server_name().to_owned()));
        let snapshot = self.0.db.snapshot();
        let users: Vec<&OwnedUserId> = here.iter().map(|(user, _)| *user).collect();
        let seen = Seen::read(&snapshot, reader, &users).await?;
        for (user, devices) in here {
            let keys = seen.of.get(user.as_str());
            let found = device_keys(&snapshot, user, devices, keys).await?;
            queried.devices.insert(user.clone(), found);
            let Some(keys) = keys else { continue };
            if let Some(master) = &keys.master {
                let master = seen.master(&snapshot, reader, user, master).await?;
                queried.master.insert(user.clone(), master);
            }
            let others = [
                (&keys.self_signing, &mut queried.self_signing),
                (&keys.user_signing, &mut queried.user_signing),
            ];
            for (key, shown_to) in others {
                if let Some(key) = key {
                    shown_to.insert(user.clone(), by_master(user, key));
                }
            }
        }
        Ok(queried)
    }
}

/// The cross-signing keys of a user that the reader sees.
#[derive(Default)]
struct UserKeys {
    master: Option<CrossSigningKeyRow>,
    self_signing: Option<CrossSigningKeyRow>,
    /// The reader's own.
    user_signing: Option<CrossSigningKeyRow>,
    /// What the reader has signed.
    signed: Option<UserSignatureRow>,
}

/// What a reader sees of cross-signing, of all users of a query.
struct Seen<'q> {
    of: BTreeMap<&'q str, UserKeys>,
    /// The reader's user-signing key.
    signer: Option<String>,
}

impl<'q> Seen<'q> {
    async fn read(
        snapshot: &Snapshot,
        reader: &UserId,
        users: &[&'q OwnedUserId],
    ) -> Result<Self, ReadError> {
        let keys = async |usage| {
            let keys: Vec<_> = users.iter().map(|user| ((*user).clone(), usage)).collect();
            snapshot.get_many::<CrossSigningKeys>(&keys).await
        };
        let master = keys(KeyUsage::Master).await?;
        let self_signing = keys(KeyUsage::SelfSigning).await?;
        let own = snapshot.get::<CrossSigningKeys>(&(reader.to_owned(), KeyUsage::UserSigning)).await?;
        let pairs: Vec<_> = users.iter().map(|user| (reader.to_owned(), (*user).clone())).collect();
        let signed = match &own {
            Some(_) => snapshot.get_many::<UserSignatures>(&pairs).await?,
            None => vec![None; pairs.len()],
        };
        let mut of: BTreeMap<&str, UserKeys> = BTreeMap::new();
        for (((user, master), self_signing), signed) in users.iter().zip(master).zip(self_signing).zip(signed)
        {
            let user_signing = own.clone().filter(|_| *user == reader);
            of.insert(user.as_str(), UserKeys { master, self_signing, user_signing, signed });
        }
        Ok(Self { of, signer: own.map(|key| key.public) })
    }

    /// A master key with the signatures of its user's devices, and that of the reader.
    async fn master(
        &self,
        snapshot: &Snapshot,
        reader: &UserId,
        user: &OwnedUserId,
        key: &CrossSigningKeyRow,
    ) -> Result<String, ReadError> {
        let on_it = all_rows::<MasterKeySignatures>(snapshot, user).await?;
        let mut signatures = Signatures::new();
        for ((_, device, _), row) in on_it.iter().filter(|(_, row)| row.master == key.public) {
            signatures
                .entry(user.as_str())
                .or_default()
                .insert(format!("ed25519:{device}"), row.signature.as_str());
        }
        let signed = self.of.get(user.as_str()).and_then(|keys| keys.signed.as_ref());
        let counts = |row: &&UserSignatureRow| {
            row.master == key.public && self.signer.as_deref() == Some(row.by.key.as_str())
        };
        if let Some(row) = signed.filter(counts) {
            let by = signatures.entry(reader.as_str()).or_default();
            by.insert(format!("ed25519:{}", row.by.key), row.by.signature.as_str());
        }
        Ok(shown(&key.key.0, &signatures, None))
    }
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

/// The keys of a user's devices: all, or those that are named.
async fn device_keys(
    snapshot: &Snapshot,
    user: &OwnedUserId,
    named: &[OwnedDeviceId],
    keys: Option<&UserKeys>,
) -> Result<BTreeMap<OwnedDeviceId, String>, ReadError> {
    let devices = match named {
        [] => all_rows::<Devices>(snapshot, user).await?,
        named => {
            let keys: Vec<_> = named.iter().map(|device| (user.clone(), device.clone())).collect();
            let rows = snapshot.get_many::<Devices>(&keys).await?;
            keys.into_iter().zip(rows).filter_map(|(key, row)| Some((key, row?))).collect()
        }
    };
    let self_signing = keys.and_then(|keys| keys.self_signing.as_ref());
    let mut found = BTreeMap::new();
    for devices in devices.chunks(PAGE) {
        let keys: Vec<(OwnedUserId, OwnedDeviceId, Position)> =
            devices.iter().map(|((user, id), row)| (user.clone(), id.clone(), row.since)).collect();
        let rows = snapshot.get_many::<DeviceKeys>(&keys).await?;
        for (((_, id), device), row) in devices.iter().zip(rows) {
            if let Some(row) = row {
                found.insert(id.clone(), one(user, id, device, &row, self_signing));
            }
        }
    }
    Ok(found)
}

fn one(
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
