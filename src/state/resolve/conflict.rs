//! What goes into a resolution and what comes out of it.

use std::collections::{BTreeMap, BTreeSet};

use ruma::OwnedEventId;

use crate::state_key::StateKey;

/// How a set of room states differs. Sets, so that the order of the forks cannot matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conflict {
    /// Every key that does not have the same event in all states, with the distinct events that
    /// it has. A key that some states lack and the others agree on is here with one event.
    pub keys: BTreeMap<StateKey, BTreeSet<OwnedEventId>>,
    /// The events that are in the full auth chain of some, not of all states. Unused by v1.
    pub auth_difference: BTreeSet<OwnedEventId>,
    /// The events on auth paths between two conflicted events. Used by v2.1 only (room version 12).
    pub subgraph: BTreeSet<OwnedEventId>,
}

/// The outcome: what changes against the unconflicted state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolution {
    /// Every conflicted key, and every key that no state has and that the resolution sets. `None`:
    /// the key leaves the state. A power levels or join rules key that does so is how room versions
    /// before 12 lose their settings (MSC4297); a caller counts these.
    pub keys: BTreeMap<StateKey, Option<OwnedEventId>>,
}
