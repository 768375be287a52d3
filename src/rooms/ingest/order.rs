//! Putting events in order by what they refer to.

use std::collections::{BTreeMap, BTreeSet};

use plop_state::Pdu;
use ruma::OwnedEventId;

/// The events, each once and after those of its parents that are among them. Whatever stands in a cycle (ids of room versions 1 and 2 are
/// chosen), or behind one, is left out. Otherwise ordered by claimed depth and id, so that the order is the same everywhere.
pub(super) fn parents_first(
    events: impl IntoIterator<Item = Pdu>,
    parents: impl Fn(&Pdu) -> &[OwnedEventId],
) -> Vec<Pdu> {
    let events: BTreeMap<OwnedEventId, Pdu> =
        events.into_iter().map(|event| (event.event_id_owned().clone(), event)).collect();
    let mut waits_for: BTreeMap<&OwnedEventId, usize> = BTreeMap::new();
    let mut children: BTreeMap<&OwnedEventId, Vec<&OwnedEventId>> = BTreeMap::new();
    let mut ready = BTreeSet::new();
    for (id, event) in &events {
        let among: BTreeSet<_> =
            parents(event).iter().filter(|parent| events.contains_key(*parent)).collect();
        if among.is_empty() {
            ready.insert((event.depth(), id));
        }
        waits_for.insert(id, among.len());
        for parent in among {
            children.entry(parent).or_default().push(id);
        }
    }
    let mut ordered = Vec::with_capacity(events.len());
    while let Some((_, id)) = ready.pop_first() {
        let Some(event) = events.get(id) else { continue };
        ordered.push(event.clone());
        for child in children.get(id).into_iter().flatten() {
            let Some(left) = waits_for.get_mut(child) else { continue };
            *left -= 1;
            if *left == 0 {
                ready.insert((events.get(*child).map_or(0, Pdu::depth), child));
            }
        }
    }
    ordered
}
