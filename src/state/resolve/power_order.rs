//! Step 1 of v2: which candidates are settled first, and in which order.
//!
//! Spec: rooms/v2, "Power events" and "Reverse topological power ordering".

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

use ruma::EventId;

use super::candidates::Candidate;
use crate::{
    auth::{Authority, Membership, Power},
    pdu::Pdu,
    state_key::StateKey,
    version::Rules,
};

/// The power events among `candidates` with the candidates that they are authorised by, from
/// earliest to latest; and all others.
///
/// An event whose auth events lead back to itself is in neither: nothing can have authorised it.
pub(super) fn split<'a>(
    candidates: &'a [Candidate],
    rules: &Rules,
) -> (Vec<&'a Candidate>, Vec<&'a Candidate>) {
    let graph = AuthGraph::new(candidates);
    let chosen = graph.behind_power_events(candidates, rules);
    let sorted = graph.sort(candidates, &chosen, rules);
    let rest = (0..candidates.len()).filter(|index| !chosen[*index]);
    (
        sorted.into_iter().map(|index| &candidates[index]).collect(),
        rest.map(|index| &candidates[index]).collect(),
    )
}

/// The auth events of each candidate that are candidates, as indices.
///
/// Only direct links count, as in every implementation: a path that leaves the full conflicted set
/// and comes back is not followed.
struct AuthGraph {
    cites: Vec<Vec<usize>>,
}

impl AuthGraph {
    fn new(candidates: &[Candidate]) -> Self {
        let index: HashMap<&EventId, usize> = candidates
            .iter()
            .enumerate()
            .map(|(index, candidate)| (candidate.event().event_id(), index))
            .collect();
        let cites = candidates
            .iter()
            .map(|candidate| {
                let ids = candidate.event().auth_events().iter();
                let mut cited: Vec<usize> = ids.filter_map(|id| index.get(&**id).copied()).collect();
                cited.sort_unstable();
                cited.dedup();
                cited
            })
            .collect();
        Self { cites }
    }

    /// Marks the power events, and what they are authorised by within the set.
    fn behind_power_events(&self, candidates: &[Candidate], rules: &Rules) -> Vec<bool> {
        let mut chosen = vec![false; candidates.len()];
        let mut pending: Vec<usize> =
            (0..candidates.len()).filter(|&index| is_power_event(&candidates[index], rules)).collect();
        while let Some(index) = pending.pop() {
            if !std::mem::replace(&mut chosen[index], true) {
                pending.extend(&self.cites[index]);
            }
        }
        chosen
    }

    /// Kahn's algorithm over the chosen ones; what is cited comes first, and among those that could
    /// come next the smallest by sender's power (greatest first), time and id.
    fn sort(&self, candidates: &[Candidate], chosen: &[bool], rules: &Rules) -> Vec<usize> {
        let mut waits_for = vec![0_usize; candidates.len()];
        let mut cited_by = vec![Vec::new(); candidates.len()];
        let mut powers = SenderPowers::default();
        let mut ready = BinaryHeap::new();
        let mut push = |ready: &mut BinaryHeap<_>, index: usize| {
            let event = candidates[index].event();
            let power = powers.of(&candidates[index], rules);
            let rank = (Reverse(power), event.origin_server_ts(), event.event_id());
            ready.push(Reverse((rank, index)));
        };
        for index in (0..candidates.len()).filter(|&index| chosen[index]) {
            waits_for[index] = self.cites[index].len();
            for &cited in &self.cites[index] {
                cited_by[cited].push(index);
            }
            if waits_for[index] == 0 {
                push(&mut ready, index);
            }
        }

        let mut sorted = Vec::new();
        while let Some(Reverse((_, index))) = ready.pop() {
            sorted.push(index);
            for &citing in &cited_by[index] {
                waits_for[citing] -= 1;
                if waits_for[citing] == 0 {
                    push(&mut ready, citing);
                }
            }
        }
        sorted
    }
}

/// Whether an event may take away someone's ability to do something.
///
/// By the spec's definition, and the create event, which all implementations count in.
fn is_power_event(candidate: &Candidate, rules: &Rules) -> bool {
    let event = candidate.event();
    match event.type_name() {
        "m.room.power_levels" | "m.room.join_rules" | "m.room.create" => event.state_key() == Some(""),
        "m.room.member" => {
            let removed = matches!(Membership::of(event, rules), Some(Membership::Leave | Membership::Ban));
            removed && event.state_key() != Some(event.sender().as_str())
        }
        _ => false,
    }
}

/// The power of senders by the events that their own events cite. Power levels are parsed once.
#[derive(Default)]
struct SenderPowers<'a> {
    authorities: HashMap<(&'a EventId, Option<&'a EventId>), Option<Authority>>,
}

impl<'a> SenderPowers<'a> {
    /// Where no create event is cited (by the create event itself) or the power levels cannot be
    /// read, the sender has none.
    fn of(&mut self, candidate: &'a Candidate, rules: &Rules) -> Power {
        const NONE: Power = Power::Level(0);
        let cited = |key| candidate.cites(&key).map(|known| &known.event);
        let Some(create) = cited(StateKey::create()) else { return NONE };
        let levels = cited(StateKey::power_levels());
        let authority = self
            .authorities
            .entry((create.event_id(), levels.map(Pdu::event_id)))
            .or_insert_with(|| Authority::new(create, levels, rules).ok());
        authority.as_ref().map_or(NONE, |authority| authority.power(candidate.event().sender().as_str()))
    }
}
