//! What tests build servers with, as far as it needs no rooms.
//!
//! Owns: the [`Ground`] that every part stands on, the names of users, accounts, keys of clients. Does not own: rooms (`plop-bed-rooms`), all parts together
//! (`plop-bed-server`): a suite is linked with what it needs and is built anew only for changes of that. What a suite does with its part alone
//! is in its own `bed.rs`.
//!
//! Invariants: a part is built here as the composition root builds it (`src/server/domain.rs`), but on the Memory engine, with simulated time, seeded
//! randomness, small caches and password hashes that cost nothing.

mod accounts;
mod keys;
pub mod web;

pub use accounts::{
    Mailbox, PASSWORD, account, accounts, authorized, change_password, deactivate, delete_devices, email,
    login_token, parameters,
};
pub use keys::Signer;

use plop_base::{Actor, Clock, Random, UnixMillis};
use plop_db::{Db, Hooks, KeyspaceInfo, MemoryDisk};
use plop_state::json::{NumberRule, Object, parse_object};
use ruma::{OwnedServerName, OwnedUserId, owned_device_id, owned_server_name};

/// When simulated time begins.
pub const START: UnixMillis = UnixMillis(1_700_000_000_000);

/// What every part is given.
#[derive(Clone)]
pub struct Ground {
    pub db: Db,
    pub clock: Clock,
    pub random: Random,
}

impl Ground {
    /// A server that starts for the first time. The seed makes its random numbers. To be called on a tokio runtime, like all of these.
    pub fn new(keyspaces: Vec<KeyspaceInfo>, seed: u64) -> Self {
        Self::on_disk(&MemoryDisk::new(), keyspaces, seed)
    }

    /// The same on a disk that the test may fill, or keep for another start.
    pub fn on_disk(disk: &MemoryDisk, keyspaces: Vec<KeyspaceInfo>, seed: u64) -> Self {
        let db = Db::memory_on(disk, keyspaces, Hooks::default(), &Random::seeded(seed));
        Self::on(db.expect("a database"), Random::seeded(seed))
    }

    /// On a database of another engine, or one that was there before.
    pub fn on(db: Db, random: Random) -> Self {
        Self { db, clock: Clock::simulated(START), random }
    }

    /// The same database at the same time, for parts that are built anew and know nothing of what was in memory.
    pub fn restarted(&self) -> Self {
        Self { random: Random::seeded(self.random.u64()), ..self.clone() }
    }
}

/// The name of the server.
pub fn server() -> OwnedServerName {
    owned_server_name!("plop.example")
}

/// A user of the server.
pub fn id(name: &str) -> OwnedUserId {
    OwnedUserId::try_from(format!("@{name}:plop.example")).expect("a user id")
}

/// A user of the server, logged in.
pub fn user(name: &str) -> Actor {
    Actor::User { user: id(name), device: owned_device_id!("DEVICE") }
}

/// The content of an event.
pub fn json(text: &str) -> Object {
    parse_object(text.as_bytes(), NumberRule::Strict).expect("an object")
}
