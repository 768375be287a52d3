//! Resolving the states of forks.
//!
//! Owns: the driver around [`plop_state::resolve`]: it finds what differs between the states (tree), what differs between
//! their auth chains (index), loads the events in question and runs the pure algorithm until nothing is missing.
//!
//! Does not own: the algorithms; events (the caller's [`EventLoader`]); writing the outcome. To be run while no writer is held.
//!
//! Invariants: the cost follows the difference of the states; the outcome depends on the set of states, not on their order.

mod drive;
mod loaded;
#[cfg(test)]
mod tests;

pub use drive::{Resolved, Resolver};
pub use loaded::{EventLoader, LoadedEvent};
