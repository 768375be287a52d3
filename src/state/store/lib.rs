//! Rank 2: room state and auth chains on disk.
//!
//! Owns: the numbers of rooms and events ([`RoomNumber`], [`EventNumber`]); room states as persistent trees ([`tree`]); the auth
//! graph ([`chains`]); the resolution of forks over both ([`resolver`]).
//!
//! Does not own: events themselves (rank 3 lends them as an [`resolver::EventLoader`]), the rules and the algorithms of
//! resolution ([`plop_state`]), who may write a room.
//!
//! Invariants: nothing is shared between rooms; what a batch in flight holds is readable at once; nothing here knows what an
//! event number stands for.

// The fixtures are shared with the benches, which see this crate by its name.
#[cfg(test)]
extern crate self as plop_state_store;

pub mod chains;
mod check;
mod error;
#[cfg(test)]
mod fixtures;
mod in_flight;
mod keyspaces;
mod numbers;
mod open;
pub mod resolver;
mod secret;
pub mod tree;

pub use check::reference_checks;
pub use error::StateError;
pub use in_flight::InFlight;
pub use keyspaces::KEYSPACES;
pub use numbers::{EventNumber, Generation, Grove, RoomNumber};
pub use open::{CacheBytes, StateStore};
pub use secret::{KeyHash, Secret};
