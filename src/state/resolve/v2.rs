//! State resolution v2, and v2.1 by two flags.
//!
//! Spec: rooms/v2 and rooms/v12, "State resolution", "Algorithm".

use std::collections::BTreeMap;

use ruma::room_version_rules::StateResolutionV2Rules;

use super::{
    candidates::{self, Candidate},
    conflict::{Conflict, Resolution},
    mainline, power_order,
    source::{Known, Reader, Source, Unresolved},
};
use crate::{auth::Checker, pdu::Pdu, state_key::StateKey, version::Rules};

pub(super) fn resolve<S: Source>(
    conflict: &Conflict,
    tweaks: StateResolutionV2Rules,
    rules: &Rules,
    reader: &Reader<'_, S>,
) -> Result<Resolution, Unresolved> {
    let candidates = candidates::gather(conflict, tweaks, rules, reader)?;
    let mut state = PartialState {
        conflict,
        reader,
        starts_empty: tweaks.begin_iterative_auth_checks_with_empty_state_map,
        set: BTreeMap::new(),
    };
    let mut checker = Checker::new(rules);
    // Steps 1 and 2: power events.
    let (power_events, rest) = power_order::split(&candidates, rules);
    state.apply(&power_events, &mut checker)?;
    // Steps 3 and 4: the rest, by the power levels of the state so far.
    let power_levels = state.get(&StateKey::power_levels());
    reader.complete()?;
    let rest = mainline::sort(rest, power_levels.as_ref().map(|known| &known.event), reader)?;
    state.apply(&rest, &mut checker)?;
    // Step 5: what is unconflicted stays.
    state.finish()
}

/// The state that the iterative auth checks build: what they set so far, over the unconflicted
/// state (v2) or over nothing (v2.1).
struct PartialState<'a, S> {
    conflict: &'a Conflict,
    reader: &'a Reader<'a, S>,
    starts_empty: bool,
    set: BTreeMap<&'a StateKey, &'a Known>,
}

impl<'a, S: Source> PartialState<'a, S> {
    fn get(&self, key: &StateKey) -> Option<Known> {
        if let Some(known) = self.set.get(key) {
            return Some((*known).clone());
        }
        if self.starts_empty || self.conflict.keys.contains_key(key) {
            return None;
        }
        self.reader.unconflicted(key)
    }

    /// The iterative auth checks. An event whose checks fail is left out.
    fn apply(&mut self, sorted: &[&'a Candidate], checker: &mut Checker<'_>) -> Result<(), Unresolved> {
        for candidate in sorted {
            let checked = checker.check(candidate.event(), |key| self.authorising(candidate, key));
            self.reader.complete()?;
            if checked.is_ok() {
                self.set.insert(&candidate.key, &candidate.known);
            }
        }
        Ok(())
    }

    /// The event for `key` that `candidate` is checked against: the state's, else the one that it
    /// cites itself. Rejected events authorise nothing.
    fn authorising(&self, candidate: &Candidate, key: &StateKey) -> Option<Pdu> {
        let of_state = self.get(key).filter(|known| !known.rejected);
        let known = of_state.or_else(|| candidate.cites(key).filter(|known| !known.rejected).cloned())?;
        Some(known.event)
    }

    fn finish(self) -> Result<Resolution, Unresolved> {
        let mut keys: BTreeMap<StateKey, _> =
            self.conflict.keys.keys().map(|key| (key.clone(), None)).collect();
        for (key, known) in &self.set {
            if self.conflict.keys.contains_key(*key) || self.reader.unconflicted(key).is_none() {
                keys.insert((*key).clone(), Some(known.event.event_id().to_owned()));
            }
        }
        self.reader.complete()?;
        Ok(Resolution { keys })
    }
}
