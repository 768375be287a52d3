//! Room states as persistent trees.
//!
//! Owns: reading, comparing and changing states ([`Tree`]); the cache of decoded nodes; the nodes of batches still in
//! flight. The algorithms are pure (`read`, `diff`, `update`), over the nodes of [`node`]; [`Tree`] feeds them.
//!
//! Does not own: which root is a room's state (the rows of `plop-rooms`), what an event number means.
//!
//! Invariants: nodes never change, so a cached node is right for ever; a node that comes from disk is checked against its name;
//! a batch with a new root holds every node of it that its base has not. So a root that is on disk has its nodes on disk, as
//! long as a batch is committed only if the batch that made its base was: the room writer's *expect* sees to that.

mod diff;
pub mod node;
mod read;
mod stored;
#[cfg(test)]
mod tests;
mod update;

pub use diff::Difference;
pub use node::{Entry, Root};
pub use stored::Tree;
pub use update::Change;
