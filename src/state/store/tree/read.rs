//! Reading one state: the event of a key, and scans in the order of key hashes.

use super::node::{Entry, Missing, Node, Nodes, Root, slot};
use crate::numbers::EventNumber;
use crate::secret::{KeyHash, NodeName};

/// A scan asks for at most this many nodes at once.
const NODES_AHEAD: usize = 256;

/// The event that holds a key.
pub fn lookup(nodes: &impl Nodes, root: Root, key: KeyHash) -> Result<Option<EventNumber>, Missing> {
    let mut next = root.top();
    for depth in 0.. {
        let Some(name) = next else { break };
        match &*nodes.node(name).ok_or_else(|| Missing(vec![name]))? {
            Node::Leaf(entries) => {
                let found = entries.binary_search_by_key(&key, |entry| entry.key);
                return Ok(found.ok().and_then(|index| entries.get(index)).map(|entry| entry.event));
            }
            Node::Inner(children) => next = children.get(slot(key, depth)).copied().flatten(),
        }
    }
    Ok(None)
}

/// The events that hold some keys, in the order of the keys.
pub fn lookup_many(
    nodes: &impl Nodes,
    root: Root,
    keys: &[KeyHash],
) -> Result<Vec<Option<EventNumber>>, Missing> {
    let mut missing = Vec::new();
    let mut found = Vec::with_capacity(keys.len());
    for key in keys {
        match lookup(nodes, root, *key) {
            Ok(event) => found.push(event),
            Err(Missing(names)) => missing.extend(names),
        }
    }
    if missing.is_empty() {
        return Ok(found);
    }
    missing.sort_unstable();
    missing.dedup();
    Err(Missing(missing))
}

/// The first `limit` entries after a key (from the beginning without one), in the order of key hashes.
pub fn scan(
    nodes: &impl Nodes,
    root: Root,
    after: Option<KeyHash>,
    limit: usize,
) -> Result<Vec<Entry>, Missing> {
    let mut scan = Scan { nodes, limit, entries: Vec::new(), missing: Vec::new() };
    if let Some(top) = root.top() {
        scan.visit(top, after, 0);
    }
    if scan.missing.is_empty() { Ok(scan.entries) } else { Err(Missing(scan.missing)) }
}

struct Scan<'a, N> {
    nodes: &'a N,
    limit: usize,
    entries: Vec<Entry>,
    missing: Vec<NodeName>,
}

impl<N: Nodes> Scan<'_, N> {
    /// Collects from a subtree; `after` only while the subtree may hold keys on both sides of it. Depth is bounded by the bits
    /// of a hash.
    fn visit(&mut self, name: NodeName, after: Option<KeyHash>, depth: usize) {
        // A missing leaf holds at least one entry, so no more leaves are asked for than entries are wanted.
        if self.entries.len() + self.missing.len() >= self.limit || self.missing.len() >= NODES_AHEAD {
            return;
        }
        match self.nodes.node(name).as_deref() {
            None => self.missing.push(name),
            Some(Node::Leaf(entries)) => {
                let room = self.limit - self.entries.len();
                let wanted = entries.iter().filter(|entry| after.is_none_or(|after| entry.key > after));
                self.entries.extend(wanted.take(room));
            }
            Some(Node::Inner(children)) => {
                let border = after.map(|after| slot(after, depth));
                for (index, child) in children.iter().enumerate().skip(border.unwrap_or(0)) {
                    if let Some(child) = child {
                        self.visit(*child, after.filter(|_| Some(index) == border), depth + 1);
                    }
                }
            }
        }
    }
}
