//! Rank 3: rooms. The only writer of room facts.
//!
//! Owns: rooms as graphs of events: one writer for each room, the picture that readers get, every local operation, the stages that
//! an event from elsewhere passes.
//!
//! Does not own: state trees and auth chains ([`plop_state_store`]), the rules ([`plop_state`]), transport to other servers (the
//! [`Remote`](remote::Remote) trait says what is needed of it), sync (it tails what is written here).
//!
//! Invariants: a function that writes a room has its [`RoomWriter`](writer::RoomWriter); writing an event calls nobody: readers tail the streams
//! of [`schema`].

pub mod check;
pub mod draft;
pub mod event;
pub mod event_store;
pub mod fault;
mod founding;
pub mod history_place;
pub mod identity;
pub mod ingest;
pub mod loading;
mod member_changes;
pub mod members;
pub mod operation;
pub mod ops;
pub mod parameters;
pub mod parts;
mod projection;
pub mod reader;
mod reading;
pub mod redaction;
mod registry;
pub mod remote;
mod restricted_join;
pub mod rooms;
pub mod schema;
pub mod serve;
mod slot;
mod state_change;
mod state_lists;
pub mod summary;
pub mod thread;
mod totals;
pub mod upkeep;
pub mod view;
mod writer;
