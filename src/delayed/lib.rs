//! Rank 3: events that are sent later (MSC4140, "Cancellable delayed events").
//!
//! Owns: what users have scheduled, sending it when its time has come or somebody asks for it, and what became of it. Does not own: the events
//! themselves: they are sent like those of clients ([`plop_rooms`]).
//!
//! Invariants: an event that was scheduled is sent, cancelled or refused, once, also across restarts: it is sent under its own name as
//! transaction id, as what its user was who scheduled it, so that sending it again after a crash finds what was sent. Those of one room are
//! sent in the order of their times, and a room that is busy holds up no other. What is decided about one is decided under its guard. Each
//! user has [`Limits::max_scheduled`] of them and [`MAX_KEPT`](finalising::MAX_KEPT) that are over.

mod actions;
mod at_work;
pub mod check;
mod delayed;
mod due;
mod finalising;
mod listing;
mod refusal;
mod replaced;
mod scheduling;
pub mod schema;
mod sender;
mod sending;

pub use actions::Action;
pub use delayed::{Delayed, Limits};
pub use due::DueError;
pub use listing::{Filter, Listed, Page};
pub use refusal::DelayRefusal;
pub use scheduling::NewDelayed;
