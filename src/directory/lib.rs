//! Rank 3: the user directory.
//!
//! Owns: users by the words of their names, who finds whom, which rooms two users share. Does not own: names (accounts have those of this server's
//! users, rooms those of others), memberships.
//!
//! Invariants: the index only leads to candidates: whether one is found, and under which name, is decided by accounts and rooms as they are now. Of a
//! user of this server it is the name of their profile, never one that they have in some room; of a user of another server the name in a room that the
//! searcher may look into. What a search costs does not depend on how many users there are: each thing it looks at has a bound, and an answer that may
//! lack something says so.

pub mod check;
mod directory;
mod indexing;
mod meeting;
pub mod mutual;
pub mod schema;
mod searching;
mod words;

pub use directory::{Directory, DirectoryParameters};
pub use indexing::FollowError;
pub use searching::{Answer, Found, MAX_FOUND};
