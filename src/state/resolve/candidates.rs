//! The full conflicted set of v2 and v2.1, loaded, with the auth events that each event cites.
//!
//! Gathering it reads all that the later steps ask for but the chain of power levels behind the
//! cited ones, so that a caller with nothing loaded is done after few rounds.

use std::collections::BTreeSet;

use ruma::{EventId, room_version_rules::StateResolutionV2Rules};

use super::{
    conflict::Conflict,
    source::{Known, Reader, Source, Unresolved},
};
use crate::{auth, pdu::Pdu, state_key::StateKey, version::Rules};

/// An event of the full conflicted set.
pub(super) struct Candidate {
    pub(super) known: Known,
    pub(super) key: StateKey,
    /// The events that it cites as auth events. Where the room id implies the create event (room
    /// version 12), that one, too.
    pub(super) cited: Vec<(StateKey, Known)>,
}

impl Candidate {
    pub(super) fn event(&self) -> &Pdu {
        &self.known.event
    }

    /// The event that it cites for `key`, whether or not that was rejected.
    pub(super) fn cites(&self, key: &StateKey) -> Option<&Known> {
        self.cited.iter().find_map(|(cited, known)| (cited == key).then_some(known))
    }
}

/// The full conflicted set in the order of event ids.
///
/// With it are read the unconflicted keys that the iterative auth checks will ask for, and those of
/// the events themselves, which the last step looks at.
///
/// Events without a state key are left out: they are in no state, and no event that passed the auth
/// rules cites one.
pub(super) fn gather<S: Source>(
    conflict: &Conflict,
    tweaks: StateResolutionV2Rules,
    rules: &Rules,
    reader: &Reader<'_, S>,
) -> Result<Vec<Candidate>, Unresolved> {
    let mut ids: BTreeSet<&EventId> = conflict.keys.values().flatten().map(|id| &**id).collect();
    ids.extend(conflict.auth_difference.iter().map(|id| &**id));
    if tweaks.consider_conflicted_state_subgraph {
        ids.extend(conflict.subgraph.iter().map(|id| &**id));
    }

    let mut candidates = Vec::with_capacity(ids.len());
    for id in ids {
        let Some(known) = reader.event(id) else { continue };
        let Some(key) = known.event.as_state() else { continue };
        let cited = cited(&known.event, rules, reader);
        read_unless_conflicted(&key, conflict, reader);
        if !tweaks.begin_iterative_auth_checks_with_empty_state_map {
            for key in auth::types_of(&known.event, rules) {
                read_unless_conflicted(&key, conflict, reader);
            }
        }
        candidates.push(Candidate { known, key, cited });
    }
    if !tweaks.begin_iterative_auth_checks_with_empty_state_map {
        read_unless_conflicted(&StateKey::power_levels(), conflict, reader);
    }
    reader.complete()?;
    Ok(candidates)
}

fn cited<S: Source>(event: &Pdu, rules: &Rules, reader: &Reader<'_, S>) -> Vec<(StateKey, Known)> {
    event
        .implied_create(rules)
        .iter()
        .chain(event.auth_events())
        .filter_map(|id| {
            let known = reader.event(id)?;
            let key = known.event.as_state()?;
            Some((key, known))
        })
        .collect()
}

fn read_unless_conflicted<S: Source>(key: &StateKey, conflict: &Conflict, reader: &Reader<'_, S>) {
    if !conflict.keys.contains_key(key) {
        reader.unconflicted(key);
    }
}
