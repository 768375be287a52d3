//! Key backups (client-server API, "Server-side key backups"): encrypted copies of the keys of encrypted sessions, from which a user's next
//! device reads old messages.
//!
//! Owns: [`KeyBackups`], the only writer of backups and of the keys in them, and the reading of them. Does not own: what is in a key, which
//! only the user's devices can read; whether the user wants a backup (account data).
//!
//! A user has backups one after the other, numbered from 1. Keys are written to the newest one that is there; what older ones hold can be read and
//! deleted. A number is never given again, also when the backup that had it is deleted: a client that was away takes no other backup for its own.
//!
//! What a user can store is bounded: [`MAX_BACKUPS`] backups, [`MAX_KEYS`] keys with at most [`MAX_BYTES`] in all of them together.
//!
//! Invariants: the writes of one user come one after the other, under the user's guard, and are on disk before they are answered. Backups, rooms in
//! them and keys in rooms are counted in the batch that changes them ([`schema`]), so that counting and deleting cost nothing for each key.

mod better;
pub mod check;
mod error;
mod keys;
mod reading;
pub mod schema;
mod sweep;
mod versions;
mod writing;

use std::sync::Arc;

use plop_db::{Db, Guards};

pub use error::BackupError;
pub use keys::{KeyScope, NewKey};
pub use reading::{Backup, BackupPages, StoredKey};

/// Most backups that a user has at a time. Clients delete the old one when they make a new one, most of them.
pub const MAX_BACKUPS: usize = 50;
/// Most keys that a user has in all backups. A busy account gathers some ten thousand in a year.
pub const MAX_KEYS: u64 = 1_000_000;
/// Most bytes of keys that a user has in all backups; a key takes about 700.
pub const MAX_BYTES: u64 = 1 << 30;
/// Most keys in one request. Clients send 100 or 200.
pub const MAX_KEYS_AT_ONCE: usize = 5_000;
/// Largest encrypted key, in bytes of compact JSON.
pub const MAX_SESSION_DATA_BYTES: usize = 16 << 10;
/// Largest `auth_data`, in bytes of compact JSON: a public key and the signatures of the user's devices.
pub const MAX_AUTH_DATA_BYTES: usize = 64 << 10;
/// Longest name of an algorithm and longest id of a session, in bytes.
pub const MAX_NAME_BYTES: usize = plop_base::limits::MAX_ID_BYTES;

/// Key backups of one server. Cheap to clone.
#[derive(Clone)]
pub struct KeyBackups(Arc<Parts>);

struct Parts {
    db: Db,
    /// By user.
    guards: Guards,
}

impl KeyBackups {
    pub fn new(db: Db) -> Self {
        Self(Arc::new(Parts { db, guards: Guards::default() }))
    }
}
