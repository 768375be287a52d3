//! Keys that devices and users publish (client-server API, "End-to-End Encryption").
//!
//! Owns: [`Keys`], the only writer of them: identity keys, one-time and fallback keys of devices, cross-signing keys of users, signatures. Does not own:
//! which devices there are, and that a user's device list has changed (accounts); whom that concerns (sync); key backups; users of other servers.
//!
//! What may be published is bounded: the constants below. What is signed is checked before it is stored, so that nobody is given a key which its
//! owner did not sign.
//!
//! Invariants: a one-time key is handed out at most once, and never without being on disk as handed out: claims and uploads of a device take turns, each expects the
//! counts that the one before left. What is kept for a device is kept under the time at which it was made. A change that others see is in
//! the batch that moves the user's device list.

mod claiming;
mod counts;
mod cross_signing;
mod dehydrating;
mod ended;
mod error;
mod identity;
mod known_keys;
mod one_time;
mod public_keys;
mod published;
mod querying;
mod signatures;
mod uploading;

use std::sync::Arc;

use known_keys::KnownKeys;
use plop_accounts::Accounts;
use plop_accounts::schema::Users;
use plop_base::Actor;
use plop_db::{Db, Guard, Guards, ReadError, Snapshot};
use ruma::{DeviceId, OwnedDeviceId, OwnedServerName, OwnedUserId, UserId};

pub use claiming::{Claimed, Claims};
pub use counts::{KeyCount, SIGNED_CURVE25519, key_count};
pub use cross_signing::CrossSigningUpload;
pub use error::{ClaimError, KeyRejected, PublishError, QueryError};
pub use querying::{Queried, QueriedUser, Wanted};
pub use signatures::{SignatureRefused, SignatureUpload, SignaturesRefused};
pub use uploading::Upload;

/// Largest identity keys of a device, and largest cross-signing key, in bytes of canonical JSON. Usual ones have some 500.
pub const MAX_IDENTITY_BYTES: usize = 16 << 10;
/// Largest one-time or fallback key, in bytes of canonical JSON. Usual ones have some 200.
pub const MAX_KEY_BYTES: usize = 4 << 10;
/// Longest algorithm or identifier of a one-time or fallback key, in bytes.
pub const MAX_NAME_BYTES: usize = 255;
/// Most one-time keys that wait for a device. Clients keep 50 to 100 there.
pub const MAX_ONE_TIME_KEYS: u64 = 1_000;
/// Claimed one-time keys of a device that are remembered: one that is uploaded again, because an answer was lost, is none that can be claimed again.
pub const MAX_CLAIMED_KEYS: u64 = 5_000;
/// Most fallback keys of a device, each of an algorithm of its own.
pub const MAX_FALLBACK_KEYS: usize = 16;
/// Most devices that one request claims a key of.
pub const MAX_CLAIMS: usize = 5_000;
/// Most users, and most devices that are named, of one query.
pub const MAX_QUERIED: usize = 5_000;
/// Most keys that one request signs.
pub const MAX_SIGNATURES: usize = 1_000;

/// The published keys of one server. Cheap to clone.
#[derive(Clone)]
pub struct Keys(Arc<Parts>);

struct Parts {
    db: Db,
    accounts: Accounts,
    server: OwnedServerName,
    /// By device: what is claimed is claimed once. Where the user's guard is held, too, that one is taken first.
    devices: Guards,
    /// What everybody may be told.
    known: KnownKeys,
}

impl Keys {
    pub fn new(db: Db, accounts: Accounts, server: OwnedServerName) -> Self {
        let (devices, known) = (Guards::default(), KnownKeys::new(db.clone()));
        Self(Arc::new(Parts { db, accounts, server, devices, known }))
    }

    async fn lock_device(&self, user: &UserId, device: &DeviceId) -> Guard {
        self.0.devices.lock(&format!("{user} {device}")).await
    }
}

/// Whether an account is there and has not ended. Under its user's guard it stays so.
async fn is_active(snapshot: &Snapshot, user: &OwnedUserId) -> Result<bool, ReadError> {
    let account = snapshot.get::<Users>(user).await?;
    Ok(account.is_some_and(|account| account.deactivated.is_none()))
}

/// A device, by its user and name.
type Owner = (OwnedUserId, OwnedDeviceId);

/// The device that acts.
fn own_device(actor: &Actor) -> Option<Owner> {
    Some((actor.user_id()?.to_owned(), actor.device_id()?.to_owned()))
}
