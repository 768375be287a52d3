//! State resolution v1.
//!
//! A key conflicts when states have different events for it; one that only some states have, with
//! one event, does not. The passes over power levels, join rules and members settle the state
//! that later passes are checked against; within a pass the keys do not see each other, so their
//! order does not matter.
//!
//! Spec: rooms/v1, "State resolution".

use std::{cmp::Reverse, collections::BTreeMap};

use sha1::{Digest, Sha1};

use super::{
    conflict::{Conflict, Resolution},
    source::{Reader, Source, Unresolved},
};
use crate::{
    auth::{self, Checker},
    pdu::Pdu,
    state_key::StateKey,
    version::Rules,
};

pub(super) fn resolve<S: Source>(
    conflict: &Conflict,
    rules: &Rules,
    reader: &Reader<'_, S>,
) -> Result<Resolution, Unresolved> {
    let contested = gather(conflict, rules, reader)?;
    let mut checker = Checker::new(rules);
    let mut state = State { conflict, reader, settled: BTreeMap::new() };
    let agreed = contested.iter().filter(|(_, events)| events.len() == 1);
    state.settled.extend(agreed.filter_map(|(key, events)| Some((*key, events.first()?.clone()))));

    for kind in ["m.room.power_levels", "m.room.join_rules", "m.room.member"] {
        let settled: Vec<_> = state
            .unsettled(&contested)
            .filter(|(key, _)| key.kind() == kind)
            .filter_map(|(key, events)| Some((key, climb(key, events, &mut checker, &state)?)))
            .collect();
        reader.complete()?;
        state.settled.extend(settled);
    }
    let settled: Vec<_> = state
        .unsettled(&contested)
        .filter_map(|(key, events)| Some((key, newest_allowed(events, &mut checker, &state)?)))
        .collect();
    reader.complete()?;
    state.settled.extend(settled);

    let keys = conflict.keys.keys().map(|key| {
        let event = state.settled.get(key).map(|event| event.event_id().to_owned());
        (key.clone(), event)
    });
    Ok(Resolution { keys: keys.collect() })
}

/// The conflicted keys with their events from the first to the last in the order of the spec:
/// ascending depth, then descending hash of the id. Reads the unconflicted state that the checks
/// will ask for, so that all which is missing is named at once.
fn gather<'a, S: Source>(
    conflict: &'a Conflict,
    rules: &Rules,
    reader: &Reader<'_, S>,
) -> Result<BTreeMap<&'a StateKey, Vec<Pdu>>, Unresolved> {
    let mut contested = BTreeMap::new();
    for (key, ids) in &conflict.keys {
        let mut events: Vec<Pdu> =
            ids.iter().filter_map(|id| reader.event(id)).map(|known| known.event).collect();
        for event in &events {
            for key in auth::types_of(event, rules) {
                if !conflict.keys.contains_key(&key) {
                    reader.unconflicted(&key);
                }
            }
        }
        events
            .sort_by_cached_key(|event| (event.depth(), Reverse(Sha1::digest(event.event_id().as_bytes()))));
        contested.insert(key, events);
    }
    reader.complete()?;
    Ok(contested)
}

/// The resolution so far: the unconflicted state and the keys that are settled.
struct State<'a, S> {
    conflict: &'a Conflict,
    reader: &'a Reader<'a, S>,
    settled: BTreeMap<&'a StateKey, Pdu>,
}

impl<'a, S: Source> State<'a, S> {
    fn unsettled<'b>(
        &'b self,
        contested: &'b BTreeMap<&'a StateKey, Vec<Pdu>>,
    ) -> impl Iterator<Item = (&'a StateKey, &'b [Pdu])> {
        let contested = contested.iter().map(|(key, events)| (*key, events.as_slice()));
        contested.filter(|(key, _)| !self.settled.contains_key(key))
    }

    fn get(&self, key: &StateKey) -> Option<Pdu> {
        if self.conflict.keys.contains_key(key) {
            return self.settled.get(key).cloned();
        }
        self.reader.unconflicted(key).map(|known| known.event)
    }
}

/// For events that affect authorisation: the last one of the chain in which each is allowed by the
/// state with the one before.
fn climb<S: Source>(
    key: &StateKey,
    events: &[Pdu],
    checker: &mut Checker<'_>,
    state: &State<'_, S>,
) -> Option<Pdu> {
    let mut events = events.iter();
    let mut current = events.next()?;
    for event in events {
        let with_current =
            |asked: &StateKey| if asked == key { Some(current.clone()) } else { state.get(asked) };
        if checker.check(event, with_current).is_err() {
            break;
        }
        current = event;
    }
    Some(current.clone())
}

/// For all other events: the newest that is allowed. Where none is, the spec says nothing and
/// existing servers keep the oldest.
fn newest_allowed<S: Source>(events: &[Pdu], checker: &mut Checker<'_>, state: &State<'_, S>) -> Option<Pdu> {
    let allowed = |event: &&Pdu| checker.check(event, |key| state.get(key)).is_ok();
    events.iter().rev().find(allowed).or(events.first()).cloned()
}
