//! What a user, or another server, may read of a room, and how it looks.
//!
//! Owns: one [`RoomReader`](access::RoomReader) for each pair of user and room, and what is read through it: history, context, single events,
//! state, members, and the client form of events. Does not own: requests and answers (rank 5), what changed since (sync), the
//! reading that ingest does for itself ([`crate::reading`]).
//!
//! Invariants: one rule decides whether an event may be seen ([`visibility`]), for every path. Nothing here writes. Originals of redacted
//! events are never read.

pub mod access;
mod aggregation;
pub mod at_time;
pub mod client_event;
pub mod context;
mod erasure;
pub mod filter;
pub mod history;
pub mod members;
pub mod receipt;
pub mod relations;
pub mod server;
pub(crate) mod space_children;
pub mod state;
pub mod stripped;
pub mod threads;
pub mod token;
pub mod user_rooms;
pub mod visibility;
mod without_members;
