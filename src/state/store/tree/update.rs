//! Applying changes to a state: only the nodes on the way to a changed entry are made anew, all others are shared.

use std::sync::Arc;

use super::node::{Entry, FAN_OUT, LEAF_CAPACITY, Missing, Node, Nodes, Root, slot};
use crate::numbers::EventNumber;
use crate::secret::{KeyHash, NodeName, Secret};

/// One key's new event, or none any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    pub key: KeyHash,
    pub event: Option<EventNumber>,
}

/// A new state, and the nodes that it has and the old one has not.
#[derive(Debug)]
pub struct Updated {
    pub root: Root,
    pub nodes: Vec<(NodeName, Arc<Node>)>,
}

/// Applies changes, sorted by key and one for each. Changes that change nothing make nothing.
pub fn update(
    nodes: &impl Nodes,
    secret: &Secret,
    root: Root,
    changes: &[Change],
) -> Result<Updated, Missing> {
    let mut update = Update { nodes, secret, made: Vec::new(), missing: Vec::new(), added: 0, removed: 0 };
    let top = update.apply(root.top(), changes, 0);
    let Some(top) = top else { return Err(Missing(update.missing)) };
    let name = update.finish(top);
    // 2^32 entries would need more than 100 GB of events in one room; and a state that has a node is not empty.
    let count = (u64::from(root.count()) + update.added).saturating_sub(update.removed);
    let count = u32::try_from(count).unwrap_or(u32::MAX).max(1);
    Ok(Updated { root: name.map_or(Root::EMPTY, |name| Root::new(name, count)), nodes: update.made })
}

/// A subtree while it is being made. Whether a small one becomes a leaf of its own or part of its parent's leaf, only the parent can tell.
enum Subtree {
    /// An existing node, left as it is.
    Kept(NodeName),
    /// At most [`LEAF_CAPACITY`] entries, not yet a node; none at all where everything was removed.
    Small(Vec<Entry>),
    /// A new inner node, so more entries than a leaf takes.
    Large(NodeName),
}

struct Update<'a, N> {
    nodes: &'a N,
    secret: &'a Secret,
    made: Vec<(NodeName, Arc<Node>)>,
    missing: Vec<NodeName>,
    added: u64,
    removed: u64,
}

impl<N: Nodes> Update<'_, N> {
    /// Applies changes to a subtree; nothing if a node is missing. Depth is bounded by the bits of a hash.
    fn apply(&mut self, name: Option<NodeName>, changes: &[Change], depth: usize) -> Option<Subtree> {
        let Some(name) = name else {
            let entries = self.merge(&[], changes);
            return Some(self.build(entries, depth));
        };
        match &*self.open(name)? {
            Node::Leaf(old) => {
                let entries = self.merge(old, changes);
                if *entries == **old { Some(Subtree::Kept(name)) } else { Some(self.build(entries, depth)) }
            }
            Node::Inner(children) => self.apply_to_children(name, children, changes, depth),
        }
    }

    fn apply_to_children(
        &mut self,
        name: NodeName,
        children: &[Option<NodeName>; FAN_OUT],
        changes: &[Change],
        depth: usize,
    ) -> Option<Subtree> {
        let mut rest = changes;
        let mut subtrees = Vec::with_capacity(FAN_OUT);
        for (index, child) in children.iter().enumerate() {
            let here = rest.partition_point(|change| slot(change.key, depth) <= index);
            let (mine, others) = rest.split_at(here);
            rest = others;
            subtrees.push(match child {
                Some(child) if mine.is_empty() => Some(Subtree::Kept(*child)),
                child => self.apply(*child, mine, depth + 1),
            });
        }
        // Only here, so that one round asks for what is missing below every child.
        let subtrees: Vec<Subtree> = subtrees.into_iter().collect::<Option<_>>()?;
        if subtrees.iter().zip(children).all(|(subtree, child)| subtree.is(*child)) {
            return Some(Subtree::Kept(name));
        }
        if changes.iter().any(|change| change.event.is_none())
            && let Some(entries) = self.collapse(&subtrees)?
        {
            return Some(Subtree::Small(entries));
        }
        Some(self.inner(subtrees))
    }

    /// The entries of all subtrees, if they fit into one leaf.
    #[allow(clippy::option_option, reason = "the outer one is the missing node, as everywhere here")]
    fn collapse(&mut self, subtrees: &[Subtree]) -> Option<Option<Vec<Entry>>> {
        if subtrees.iter().any(|subtree| matches!(subtree, Subtree::Large(_))) {
            return Some(None);
        }
        let mut all = Vec::new();
        for subtree in subtrees {
            match subtree {
                Subtree::Small(entries) => all.extend_from_slice(entries),
                Subtree::Kept(name) => match &*self.open(*name)? {
                    Node::Leaf(entries) => all.extend_from_slice(entries),
                    Node::Inner(_) => return Some(None),
                },
                Subtree::Large(_) => return Some(None),
            }
            if all.len() > LEAF_CAPACITY {
                return Some(None);
            }
        }
        Some(Some(all))
    }

    /// A subtree of these entries.
    fn build(&mut self, entries: Vec<Entry>, depth: usize) -> Subtree {
        if entries.len() <= LEAF_CAPACITY {
            return Subtree::Small(entries);
        }
        let mut parts = [const { Vec::new() }; FAN_OUT];
        for entry in entries {
            // A slot is always below the fan-out.
            parts[slot(entry.key, depth)].push(entry);
        }
        let subtrees = parts.into_iter().map(|part| self.build(part, depth + 1)).collect();
        self.inner(subtrees)
    }

    fn inner(&mut self, subtrees: Vec<Subtree>) -> Subtree {
        let mut children = Box::new([None; FAN_OUT]);
        for (child, subtree) in children.iter_mut().zip(subtrees) {
            *child = self.finish(subtree);
        }
        Subtree::Large(self.make(Node::Inner(children)))
    }

    /// The node that a subtree becomes where nothing above takes it up.
    fn finish(&mut self, subtree: Subtree) -> Option<NodeName> {
        match subtree {
            Subtree::Kept(name) | Subtree::Large(name) => Some(name),
            Subtree::Small(entries) if entries.is_empty() => None,
            Subtree::Small(entries) => Some(self.make(Node::Leaf(entries.into()))),
        }
    }

    fn make(&mut self, node: Node) -> NodeName {
        let name = node.name(self.secret);
        self.made.push((name, Arc::new(node)));
        name
    }

    /// The entries after the changes, sorted.
    fn merge(&mut self, old: &[Entry], changes: &[Change]) -> Vec<Entry> {
        let mut merged = Vec::with_capacity(old.len() + changes.len());
        let mut old = old.iter().copied().peekable();
        for change in changes {
            while let Some(entry) = old.next_if(|entry| entry.key < change.key) {
                merged.push(entry);
            }
            let replaced = old.next_if(|entry| entry.key == change.key).is_some();
            self.added += u64::from(!replaced && change.event.is_some());
            self.removed += u64::from(replaced && change.event.is_none());
            merged.extend(change.event.map(|event| Entry { key: change.key, event }));
        }
        merged.extend(old);
        merged
    }

    fn open(&mut self, name: NodeName) -> Option<Arc<Node>> {
        let node = self.nodes.node(name);
        if node.is_none() {
            self.missing.push(name);
        }
        node
    }
}

impl Subtree {
    /// Whether it is exactly what was there before.
    fn is(&self, before: Option<NodeName>) -> bool {
        match self {
            Subtree::Kept(name) => before == Some(*name),
            Subtree::Small(entries) => entries.is_empty() && before.is_none(),
            Subtree::Large(_) => false,
        }
    }
}
