//! What comes and goes, on the Memory engine and a simulated clock.

mod presence;
mod receipts;
mod schema;
mod typing;

use plop_base::{Actor, Clock, Random, UnixMillis};
use plop_db::{Db, Hooks, MemoryDisk};
use ruma::{OwnedUserId, UserId, owned_device_id};

fn database(disk: &MemoryDisk) -> Db {
    Db::memory_on(disk, plop_ephemeral::schema::KEYSPACES.to_vec(), Hooks::default(), &Random::seeded(1))
        .expect("a database")
}

fn clock() -> Clock {
    Clock::simulated(UnixMillis(1_700_000_000_000))
}

fn user(name: &str) -> OwnedUserId {
    UserId::parse(format!("@{name}:plop.example")).expect("a user id")
}

fn actor(user: &UserId) -> Actor {
    Actor::User { user: user.to_owned(), device: owned_device_id!("D") }
}

fn shadow_banned(user: &UserId) -> Actor {
    Actor::ShadowBanned { user: user.to_owned(), device: owned_device_id!("D") }
}
