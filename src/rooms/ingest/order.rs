//! Putting events in order by what they refer to.

use std::collections::{BTreeMap, BTreeSet};

use plop_state::Pdu;
use ruma::OwnedEventId;

/// What an event is put in order by.
pub(super) struct Edges<K> {
    /// The claimed depth.
    pub depth: u64,
    pub parents: Vec<K>,
}

/// The events, each once and after those of its parents that are among them. Whatever stands in a cycle (ids of room versions 1 and 2 are
/// chosen), or behind one, is left out. Otherwise ordered by claimed depth and id, so that the order is the same everywhere.
pub(super) fn parents_first(
    events: impl IntoIterator<Item = Pdu>,
    parents: impl Fn(&Pdu) -> &[OwnedEventId],
) -> Vec<Pdu> {
    let events: BTreeMap<OwnedEventId, Pdu> =
        events.into_iter().map(|event| (event.event_id_owned().clone(), event)).collect();
    let edges = |event| Edges { depth: Pdu::depth(event), parents: parents(event).iter().collect() };
    let edges: BTreeMap<&OwnedEventId, _> = events.iter().map(|(id, event)| (id, edges(event))).collect();
    in_order(&edges).into_iter().filter_map(|id| events.get(id).cloned()).collect()
}

/// The same for events of which only the edges are at hand.
pub(super) fn in_order<K: Ord + Copy>(events: &BTreeMap<K, Edges<K>>) -> Vec<K> {
    let mut waits_for: BTreeMap<K, usize> = BTreeMap::new();
    let mut children: BTreeMap<K, Vec<K>> = BTreeMap::new();
    let mut ready = BTreeSet::new();
    for (id, event) in events {
        let among: BTreeSet<K> =
            event.parents.iter().copied().filter(|parent| events.contains_key(parent)).collect();
        if among.is_empty() {
            ready.insert((event.depth, *id));
        }
        waits_for.insert(*id, among.len());
        for parent in among {
            children.entry(parent).or_default().push(*id);
        }
    }
    let mut ordered = Vec::with_capacity(events.len());
    while let Some((_, id)) = ready.pop_first() {
        ordered.push(id);
        for child in children.remove(&id).into_iter().flatten() {
            let Some(left) = waits_for.get_mut(&child) else { continue };
            *left -= 1;
            if *left == 0 {
                ready.insert((events.get(&child).map_or(0, |event| event.depth), child));
            }
        }
    }
    ordered
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Edges, in_order};

    /// An event, its claimed depth and its parents.
    type Event = (u8, u64, &'static [u8]);

    #[test]
    fn parents_come_first_whatever_depth_is_claimed_and_cycles_are_left_out() {
        let cases: [(&[Event], &[u8]); 5] = [
            (&[], &[]),
            (&[(1, 9, &[]), (2, 1, &[1]), (3, 0, &[2, 1])], &[1, 2, 3]),
            (&[(1, 5, &[]), (2, 4, &[]), (3, 4, &[])], &[2, 3, 1]),
            (&[(1, 1, &[7]), (2, 1, &[1, 1])], &[1, 2]),
            (&[(1, 1, &[2]), (2, 1, &[1]), (3, 1, &[2]), (4, 1, &[4]), (5, 1, &[])], &[5]),
        ];
        for (events, expected) in cases {
            let edges = |parents: &[u8], depth| Edges { depth, parents: parents.to_vec() };
            let events: BTreeMap<u8, Edges<u8>> =
                events.iter().map(|(id, depth, parents)| (*id, edges(parents, *depth))).collect();
            assert_eq!(in_order(&events), expected);
        }
    }
}
