//! State resolution: which event each conflicted key of a room's state takes when forks meet.
//!
//! Owns the three algorithms: v1 (room version 1), v2 (2 to 11) and v2.1 (12), behind [`resolve`].
//! Does not own the states: the caller finds what differs between them (state trees), the auth
//! difference and the conflicted state subgraph (auth-chain index), and loads events.
//!
//! Invariants:
//! - The cost follows the difference of the states, not their size: no whole state map and no whole
//!   auth chain is ever asked for. Beyond the full conflicted set, its auth events and the
//!   unconflicted state that authorises it, only the chain of power level events is read, and of it
//!   no more than the mainline ordering needs.
//! - Pure and deterministic: the result depends on the set of conflicts, never on the order of
//!   forks, events or rounds. Nothing recurses; a cycle of auth events (room versions 1 and 2, where
//!   ids are chosen) ends.
//! - It is never guessed: what is not loaded makes the caller load it and run again, what does not
//!   exist makes the resolution fail.
//!
//! Spec: rooms/v1, rooms/v2 and rooms/v12, "State resolution".

use crate::version::Rules;

mod candidates;
mod conflict;
mod mainline;
mod power_order;
mod source;
mod v1;
mod v2;

pub use conflict::{Conflict, Resolution};
pub use source::{Known, Lookup, Missing, Source, Unresolved};

/// Resolves `conflict` by the algorithm of the room version that `rules` belong to.
///
/// The result names every conflicted key (`None`: no event of it is allowed, the key leaves the
/// state) and every key outside the conflict that no fork has and the resolution brings back. All
/// other keys keep their unconflicted value.
///
/// # Errors
///
/// [`Unresolved::Missing`]: load what it names, then call again with the same conflict.
/// [`Unresolved::Absent`]: the source says that an event of the conflict, or one that authorises
/// it, does not exist; the caller's auth chains are incomplete.
pub fn resolve(conflict: &Conflict, rules: &Rules, source: &impl Source) -> Result<Resolution, Unresolved> {
    if conflict.keys.is_empty() {
        return Ok(Resolution::default());
    }
    let reader = source::Reader::new(source);
    match rules.spec.state_res.v2_rules() {
        None => v1::resolve(conflict, rules, &reader),
        Some(tweaks) => v2::resolve(conflict, *tweaks, rules, &reader),
    }
}

#[cfg(test)]
mod tests;
