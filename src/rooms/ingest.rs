//! Events from elsewhere.
//!
//! Owns: [`Ingest`], and the stages that an event of another server passes before it is part of a room (server-server API, "Checks performed on
//! receipt of a PDU"), from [`receive`] on: [`verifying`] (size, JSON, format, signatures, content hash), [`outliers`] (its auth events, fetched where they are
//! missing), [`before`] (the state before it), [`judging`] (the rules by that state), [`place`] (the rules by the current one, its place in the room);
//! [`missing`] and [`backfill`] for what lies between and below, [`waiting`] for what cannot be judged yet, [`join`] for rooms of other
//! servers, [`intake`] for answers as large as a room.
//!
//! Does not own: transport ([`crate::remote`]), the rules ([`plop_state`]), who may hand over what beyond them.
//!
//! Invariants: nothing of another server is trusted, whichever way it came: all of it passes the same stages. One bad event harms no other one.
//! What is missing is never taken for a rejection and never for an empty state; rejected and soft-failed are final. No guard
//! is held while another server is asked or a state resolved. Events get their places one at a time in a room, each once the one before has landed: the rows
//! that they share (gaps, places in history, redactions that wait) are read from the disk.

mod backfill;
mod before;
mod checking;
mod extremities;
mod fairness;
mod gate;
mod intake;
mod join;
mod join_error;
mod judging;
mod missing;
mod order;
mod outliers;
mod outrun;
mod place;
mod receive;
mod site;
mod staging;
mod turns;
mod verifying;
mod waiting;

pub use gate::Ingest;
pub use join_error::JoinError;
pub use judging::Verdict;
pub use receive::Received;
pub use verifying::Unfit;
