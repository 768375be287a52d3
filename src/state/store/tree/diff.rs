//! The difference of two states. Equal subtrees have equal names and are never entered, so the cost follows the number of
//! differences, not the size of the states nor how they came about.

use super::node::{Entry, FAN_OUT, Missing, Node, Nodes, Root, slot};
use crate::numbers::EventNumber;
use crate::secret::{KeyHash, NodeName};

/// A key that two states hold differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    pub key: KeyHash,
    pub before: Option<EventNumber>,
    pub after: Option<EventNumber>,
}

/// What is different in `after`, sorted by key hash.
pub fn diff(nodes: &impl Nodes, before: Root, after: Root) -> Result<Vec<Difference>, Missing> {
    let mut diff = Diff { nodes, found: Vec::new(), missing: Vec::new() };
    diff.compare(Side::of(before.top()), Side::of(after.top()), 0);
    if diff.missing.is_empty() { Ok(diff.found) } else { Err(Missing(diff.missing)) }
}

/// A subtree of one of the two states: a node, or those entries of a leaf further up that belong here.
#[derive(Clone, PartialEq, Eq)]
enum Side {
    Node(NodeName),
    Entries(Vec<Entry>),
}

impl Side {
    fn of(name: Option<NodeName>) -> Side {
        name.map_or(Side::Entries(Vec::new()), Side::Node)
    }
}

struct Diff<'a, N> {
    nodes: &'a N,
    found: Vec<Difference>,
    missing: Vec<NodeName>,
}

/// A side after its node was read.
enum Opened {
    Entries(Vec<Entry>),
    Children(Box<[Option<NodeName>; FAN_OUT]>),
}

impl<N: Nodes> Diff<'_, N> {
    /// Compares two subtrees at the same place. Depth is bounded by the bits of a hash.
    fn compare(&mut self, before: Side, after: Side, depth: usize) {
        if before == after {
            return;
        }
        // Both are opened before either may be found missing, so that one round asks for both.
        let (before, after) = (self.open(before), self.open(after));
        match (before, after) {
            (Some(Opened::Entries(before)), Some(Opened::Entries(after))) => self.merge(&before, &after),
            (Some(before), Some(after)) => {
                let pairs = before.split(depth).into_iter().zip(after.split(depth));
                pairs.for_each(|(before, after)| self.compare(before, after, depth + 1));
            }
            _ => {}
        }
    }

    fn open(&mut self, side: Side) -> Option<Opened> {
        match side {
            Side::Entries(entries) => Some(Opened::Entries(entries)),
            Side::Node(name) => {
                let node = self.nodes.node(name);
                if node.is_none() {
                    self.missing.push(name);
                }
                Some(match &*node? {
                    Node::Leaf(entries) => Opened::Entries(entries.to_vec()),
                    Node::Inner(children) => Opened::Children(children.clone()),
                })
            }
        }
    }

    /// Walks two sorted lists side by side.
    fn merge(&mut self, before: &[Entry], after: &[Entry]) {
        let (mut before, mut after) = (before.iter().peekable(), after.iter().peekable());
        loop {
            let key = match (before.peek(), after.peek()) {
                (Some(b), Some(a)) => b.key.min(a.key),
                (Some(one), None) | (None, Some(one)) => one.key,
                (None, None) => return,
            };
            let before = before.next_if(|entry| entry.key == key).map(|entry| entry.event);
            let after = after.next_if(|entry| entry.key == key).map(|entry| entry.event);
            if before != after {
                self.found.push(Difference { key, before, after });
            }
        }
    }
}

impl Opened {
    fn split(self, depth: usize) -> [Side; FAN_OUT] {
        match self {
            Opened::Children(children) => children.map(Side::of),
            Opened::Entries(entries) => {
                let mut sides = [const { Vec::new() }; FAN_OUT];
                for entry in entries {
                    // A slot is always below the fan-out.
                    sides[slot(entry.key, depth)].push(entry);
                }
                sides.map(Side::Entries)
            }
        }
    }
}
