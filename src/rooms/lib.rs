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
mod draft;
mod event;
mod event_store;
mod fault;
mod founding;
pub mod guests;
mod history_place;
pub mod identity;
pub mod ingest;
mod invitations;
mod loading;
mod member_changes;
mod members;
mod operation;
pub mod ops;
mod parameters;
mod parts;
pub mod preview;
mod projection;
pub mod reader;
mod reading;
pub mod redaction;
mod registry;
pub mod remote;
mod restricted_join;
mod rooms;
pub mod schema;
pub mod serve;
mod slot;
pub mod spaces;
mod state_change;
mod state_lists;
pub mod summary;
mod thread;
mod totals;
pub mod upkeep;
mod validity;
mod view;
mod writer;

pub use event::RoomEvent;
pub use event_store::{EventReadError, EventStore};
pub use fault::StoreFault;
pub use history_place::HistoryPlace;
pub use invitations::InviteRates;
pub use loading::LoadError;
pub use members::MemberTable;
pub use parameters::RoomParameters;
pub use rooms::Rooms;
pub use thread::{MAX_RELATION_DEPTH, MAX_THREAD_HOPS};
pub use view::RoomView;

// Reachable, as what it shares with the suites of other crates is not all needed here.
#[cfg(test)]
#[path = "tests/suite/main.rs"]
pub mod suite;

// What is shared with the suites of other crates sees this crate by its name.
#[cfg(test)]
extern crate self as plop_rooms;
