//! Auth chains: what stands behind an event, and what two states do not have in common there.
//!
//! Owns: the auth graph of state events in both directions ([`Chains`]), and the questions that resolution and joins ask of it: the
//! auth difference, the conflicted state subgraph, whole chains in pages.
//!
//! Does not own: which events are state events or rejected (the caller adds neither messages nor rejected events), events.
//!
//! Invariants: an event is in the index only if its whole auth chain is; so a chain is complete or unknown, never cut short, and
//! cycles (possible where ids are chosen, room versions 1 and 2) never get in. What an event adds is bounded by its own
//! auth events, whatever the graph before it looks like: there are no labels, no transitive links. No walk recurses, and none visits
//! an event twice.
//!
//! Why this and not a chain cover: docs/decisions/0011-auth-graph-in-both-directions.md.

mod difference;
mod index;
mod subgraph;
#[cfg(test)]
mod tests;
mod view;
mod walk;

pub use difference::Unconflicted;
pub use index::Chains;
pub use walk::ChainWalk;
