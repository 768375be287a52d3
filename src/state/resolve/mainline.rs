//! Step 3 of v2: the mainline ordering.
//!
//! Every power levels event cites at most one other, so their links form trees. The mainline is the
//! path from the resolved power levels to a root; an event's mainline position is where the path
//! from the power levels that it cites joins that. Only the order of positions counts, so all paths
//! are followed from their newest ends, in step, and no further than it takes to tell the positions
//! apart: in a room that changed its power levels thousands of times this costs what happened since
//! the forks parted. No event is followed twice.
//!
//! Spec: rooms/v2, "Mainline ordering".

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, HashSet},
};

use ruma::{EventId, OwnedEventId};

use super::{
    candidates::Candidate,
    source::{Reader, Source, Unresolved},
};
use crate::{pdu::Pdu, state_key::StateKey};

/// Sorts `candidates` from smallest to largest: what is based on the oldest power levels is first.
/// `power_levels` is the event of the partially resolved state.
pub(super) fn sort<'a, S: Source>(
    candidates: Vec<&'a Candidate>,
    power_levels: Option<&Pdu>,
    reader: &Reader<'_, S>,
) -> Result<Vec<&'a Candidate>, Unresolved> {
    let key = StateKey::power_levels();
    let mut based: Vec<(Option<&Pdu>, &Candidate)> = candidates
        .into_iter()
        .map(|candidate| (candidate.cites(&key).map(|known| &known.event), candidate))
        .collect();
    let positions = match power_levels {
        Some(power_levels) => positions(power_levels, based.iter().map(|(base, _)| *base), reader)?,
        None => BTreeMap::new(),
    };
    based.sort_by_key(|(base, candidate)| {
        let position = base.and_then(|base| positions.get(base.event_id()));
        let event = candidate.event();
        (Reverse(position.copied().unwrap_or(NOT_ON_MAINLINE)), event.origin_server_ts(), event.event_id())
    });
    Ok(based.into_iter().map(|(_, candidate)| candidate).collect())
}

/// Greater than any position.
const NOT_ON_MAINLINE: usize = usize::MAX;

/// The positions of the power levels events `bases` in the mainline of `power_levels`, as far as
/// they differ: the deepest one may be left out like one that is not on the mainline.
fn positions<'a, S: Source>(
    power_levels: &Pdu,
    bases: impl Iterator<Item = Option<&'a Pdu>>,
    reader: &Reader<'_, S>,
) -> Result<BTreeMap<&'a EventId, usize>, Unresolved> {
    let mut walk = Walk::new(reader, power_levels);
    let mut starts = BTreeMap::new();
    // Events without power levels are in one place together: not on the mainline.
    let mut baseless = 0;
    for base in bases {
        match base {
            Some(base) => {
                starts.entry(base.event_id()).or_insert_with(|| walk.start(base));
            }
            None => baseless = 1,
        }
    }
    if starts.len() + baseless <= 1 {
        return Ok(BTreeMap::new());
    }

    // Looking after 1, 2, 4, 8... steps keeps the cost of all looks below that of the steps.
    let mut steps = 1;
    loop {
        let positions = walk.positions(&starts);
        let unmet = starts.len() - positions.len();
        // A path that has ended without meeting the mainline does so deeper than it is walked, or
        // not at all. If there is one such place it comes before all others.
        let known = unmet == 0 || (walk.ends.is_empty() && unmet + baseless <= 1);
        if known || walk.is_over() {
            return Ok(positions);
        }
        for _ in 0..steps {
            walk.step()?;
        }
        steps *= 2;
    }
}

/// The paths walked so far.
struct Walk<'a, S> {
    reader: &'a Reader<'a, S>,
    nodes: Vec<Node>,
    by_id: HashMap<OwnedEventId, usize>,
    /// Node to position.
    mainline: HashMap<usize, usize>,
    /// The deepest node of the mainline, until that has reached its root.
    tip: Option<usize>,
    /// The deepest nodes of the other paths, until they reach the mainline, each other or a root.
    ends: Vec<usize>,
}

/// A power levels event.
struct Node {
    event: Pdu,
    /// The power levels event that it cites, once that is read.
    before: Option<usize>,
}

impl<'a, S: Source> Walk<'a, S> {
    fn new(reader: &'a Reader<'a, S>, power_levels: &Pdu) -> Self {
        let mut walk = Self {
            reader,
            nodes: Vec::new(),
            by_id: HashMap::new(),
            mainline: HashMap::new(),
            tip: None,
            ends: Vec::new(),
        };
        let (first, _) = walk.node(power_levels);
        walk.mainline.insert(first, 0);
        walk.tip = Some(first);
        walk
    }

    /// Begins a path.
    fn start(&mut self, base: &Pdu) -> usize {
        let (node, new) = self.node(base);
        if new {
            self.ends.push(node);
        }
        node
    }

    /// The node of `event`, and whether no path had come to it.
    fn node(&mut self, event: &Pdu) -> (usize, bool) {
        if let Some(node) = self.by_id.get(event.event_id()) {
            return (*node, false);
        }
        let node = self.nodes.len();
        self.nodes.push(Node { event: event.clone(), before: None });
        self.by_id.insert(event.event_id_owned().clone(), node);
        (node, true)
    }

    fn is_over(&self) -> bool {
        self.tip.is_none() && self.ends.is_empty()
    }

    /// Takes every path one power levels event further down.
    fn step(&mut self) -> Result<(), Unresolved> {
        if let Some(tip) = self.tip {
            // A cycle of auth events ends the mainline like a root does.
            self.tip =
                self.follow(tip).map(|(node, _)| node).filter(|node| !self.mainline.contains_key(node));
            if let Some(node) = self.tip {
                self.mainline.insert(node, self.mainline.len());
            }
        }
        for end in std::mem::take(&mut self.ends) {
            if self.mainline.contains_key(&end) {
                continue;
            }
            if let Some((node, true)) = self.follow(end) {
                self.ends.push(node);
            }
        }
        self.reader.complete()
    }

    /// The power levels event that `node` cites, and whether no path had come to it; `None` at a
    /// root.
    fn follow(&mut self, node: usize) -> Option<(usize, bool)> {
        if let Some(before) = self.nodes[node].before {
            return Some((before, false));
        }
        let event = self.nodes[node].event.clone();
        let mut loaded = true;
        for id in event.auth_events() {
            match self.reader.event(id) {
                Some(known) if is_power_levels(&known.event) => {
                    let (before, new) = self.node(&known.event);
                    self.nodes[node].before = Some(before);
                    return Some((before, new));
                }
                Some(_) => {}
                None => loaded = false,
            }
        }
        if !loaded {
            self.reader.walks_on(event.event_id());
        }
        None
    }

    /// The positions of the `starts` whose paths have met the mainline. Their further way is of no
    /// interest, so it is not followed any more.
    fn positions<'b>(&mut self, starts: &BTreeMap<&'b EventId, usize>) -> BTreeMap<&'b EventId, usize> {
        let mut met = BTreeMap::new();
        let mut unmet_ends = HashSet::new();
        // The outcome for each node, so that a stretch which paths share is gone once.
        let mut outcomes: HashMap<usize, Option<usize>> = HashMap::new();
        for (&id, &start) in starts {
            let mut passed = Vec::new();
            let mut node = start;
            let position = loop {
                if let Some(position) = self.mainline.get(&node) {
                    break Some(*position);
                }
                if let Some(outcome) = outcomes.get(&node) {
                    break *outcome;
                }
                outcomes.insert(node, None);
                passed.push(node);
                match self.nodes[node].before {
                    Some(before) => node = before,
                    None => {
                        unmet_ends.insert(node);
                        break None;
                    }
                }
            };
            outcomes.extend(passed.into_iter().map(|node| (node, position)));
            met.extend(position.map(|position| (id, position)));
        }
        self.ends.retain(|end| unmet_ends.contains(end));
        met
    }
}

fn is_power_levels(event: &Pdu) -> bool {
    event.type_name() == "m.room.power_levels" && event.state_key() == Some("")
}
