//! Rank 3: the users of this server.
//!
//! Owns: profiles ([`profile`]). Does not own: rooms, which read profiles when they make member events.
//!
//! Invariants: the only writer of its keyspaces ([`schema`]).

pub mod profile;
pub mod schema;
