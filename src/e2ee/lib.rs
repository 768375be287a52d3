//! Rank 3: what devices of users tell each other past the rooms, and the keys with which they do.
//!
//! Owns: to-device messages ([`to_device`]), published keys and signatures ([`keys`]), key backups ([`backup`]). Does not own: devices and
//! their sessions (accounts), what is in a message, when a client has got one (sync says so), servers elsewhere.
//!
//! Invariants: the only writer of its keyspaces ([`schema`]). What is kept for a device is kept under the position at which the device was
//! made, so that a later device with the same id finds nothing of it.

pub mod backup;
pub mod check;
pub mod keys;
pub mod schema;
pub mod to_device;
