//! The tree on disk and in memory: a cache of decoded nodes, the nodes in flight, and the loop that runs the pure algorithms until
//! they have found all nodes they need.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plop_db::{Batch, Db, Snapshot};
use plop_state::StateKey;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::diff::{self, Difference};
use super::node::{Entry, Missing, Node, Nodes, Root};
use super::read;
use super::update::{self, Change};
use crate::error::StateError;
use crate::in_flight::InFlight;
use crate::keyspaces::{NodeRow, StateNodes};
use crate::numbers::{EventNumber, Grove};
use crate::secret::{KeyHash, NodeName, Secret};

/// The state trees of a database. Clones share the cache.
#[derive(Clone)]
pub struct Tree {
    shared: Arc<Shared>,
}

struct Shared {
    db: Db,
    secret: Secret,
    cache: Cache<NodeName, Arc<Node>, ByMemory>,
    in_flight: Mutex<HashMap<NodeName, Pinned>>,
}

/// A node of batches in flight, and how many of them hold it.
struct Pinned {
    node: Arc<Node>,
    batches: usize,
}

#[derive(Clone)]
struct ByMemory;

impl Weighter<NodeName, Arc<Node>> for ByMemory {
    fn weight(&self, _: &NodeName, node: &Arc<Node>) -> u64 {
        node.memory()
    }
}

impl Tree {
    /// `cache_bytes` is the memory for decoded nodes.
    pub fn new(db: &Db, secret: &Secret, cache_bytes: u64) -> Tree {
        // What a usual node weighs, to size the cache's tables.
        const USUAL_NODE_BYTES: u64 = 224;
        let expected_nodes = usize::try_from(cache_bytes / USUAL_NODE_BYTES).unwrap_or(usize::MAX);
        let cache = Cache::with_weighter(expected_nodes, cache_bytes, ByMemory);
        let shared =
            Shared { db: db.clone(), secret: secret.clone(), cache, in_flight: Mutex::new(HashMap::new()) };
        Tree { shared: Arc::new(shared) }
    }

    /// The hash under which a (type, state key) stands in every tree.
    pub fn key_hash(&self, key: &StateKey) -> KeyHash {
        self.shared.secret.key_hash(key)
    }

    /// The event that holds a (type, state key) in a state.
    pub async fn get(
        &self,
        snapshot: &Snapshot,
        grove: Grove,
        root: Root,
        key: &StateKey,
    ) -> Result<Option<EventNumber>, StateError> {
        let key = self.key_hash(key);
        self.run(snapshot, grove, |nodes| read::lookup(nodes, root, key)).await
    }

    /// The events that hold several (type, state key)s, in their order.
    pub async fn get_many(
        &self,
        snapshot: &Snapshot,
        grove: Grove,
        root: Root,
        keys: &[StateKey],
    ) -> Result<Vec<Option<EventNumber>>, StateError> {
        let hashes: Vec<_> = keys.iter().map(|key| self.key_hash(key)).collect();
        self.get_by_hash(snapshot, grove, root, &hashes).await
    }

    /// Like [`Tree::get_many`], for keys that are known by their hash only.
    pub async fn get_by_hash(
        &self,
        snapshot: &Snapshot,
        grove: Grove,
        root: Root,
        keys: &[KeyHash],
    ) -> Result<Vec<Option<EventNumber>>, StateError> {
        self.run(snapshot, grove, |nodes| read::lookup_many(nodes, root, keys)).await
    }

    /// What is different in `after`, sorted by key hash. The cost follows the number of differences.
    pub async fn diff(
        &self,
        snapshot: &Snapshot,
        grove: Grove,
        before: Root,
        after: Root,
    ) -> Result<Vec<Difference>, StateError> {
        self.run(snapshot, grove, |nodes| diff::diff(nodes, before, after)).await
    }

    /// A page of a state: at most `limit` entries after a key (from the beginning without one), in the order of key hashes. An empty
    /// page is the end.
    pub async fn scan(
        &self,
        snapshot: &Snapshot,
        grove: Grove,
        root: Root,
        after: Option<KeyHash>,
        limit: usize,
    ) -> Result<Vec<Entry>, StateError> {
        self.run(snapshot, grove, |nodes| read::scan(nodes, root, after, limit)).await
    }

    /// Adds to a batch what a changed state needs, and returns its root. `None` takes a key out of the state; of several
    /// changes of one key the last one holds.
    pub async fn update(
        &self,
        snapshot: &Snapshot,
        batch: &mut Batch,
        grove: Grove,
        root: Root,
        changes: &[(StateKey, Option<EventNumber>)],
    ) -> Result<(Root, InFlight), StateError> {
        let changes = self.changes(changes);
        self.update_by_hash(snapshot, batch, grove, root, &changes).await
    }

    /// Changes as [`Tree::update_by_hash`] takes them. A large state is built over several batches from slices of this list: each slice
    /// then writes its own part of the tree and few nodes above it.
    pub fn changes(&self, changes: &[(StateKey, Option<EventNumber>)]) -> Vec<Change> {
        let mut hashed: Vec<_> =
            changes.iter().map(|(key, event)| Change { key: self.key_hash(key), event: *event }).collect();
        // Stable, and the last of each key first.
        hashed.reverse();
        hashed.sort_by_key(|change| change.key);
        hashed.dedup_by_key(|change| change.key);
        hashed
    }

    /// [`Tree::update`] for changes that are sorted by key hash, one for each key.
    pub async fn update_by_hash(
        &self,
        snapshot: &Snapshot,
        batch: &mut Batch,
        grove: Grove,
        root: Root,
        changes: &[Change],
    ) -> Result<(Root, InFlight), StateError> {
        let secret = &self.shared.secret;
        let updated = self.run(snapshot, grove, |nodes| update::update(nodes, secret, root, changes)).await?;
        for (name, node) in &updated.nodes {
            put(batch, grove, *name, node);
        }
        Ok((updated.root, self.pin(updated.nodes)))
    }

    /// Runs an algorithm until it finds all nodes it needs: once with a warm cache, else a round for each level of the tree.
    async fn run<T>(
        &self,
        snapshot: &Snapshot,
        grove: Grove,
        algorithm: impl Fn(&Loaded<'_>) -> Result<T, Missing>,
    ) -> Result<T, StateError> {
        let mut loaded = Loaded { tree: self, nodes: HashMap::new() };
        loop {
            match algorithm(&loaded) {
                Ok(answer) => return Ok(answer),
                Err(Missing(names)) => {
                    let nodes = self.load(snapshot, grove, &names).await?;
                    loaded.nodes.extend(names.into_iter().zip(nodes));
                }
            }
        }
    }

    /// Nodes from disk, into the cache.
    async fn load(
        &self,
        snapshot: &Snapshot,
        grove: Grove,
        names: &[NodeName],
    ) -> Result<Vec<Arc<Node>>, StateError> {
        let mut nodes = Vec::with_capacity(names.len());
        for (name, row) in names.iter().zip(self.rows(snapshot, grove, names).await?) {
            let node = row.ok_or(StateError::MissingNode { grove, name: *name })?.node;
            if node.name(&self.shared.secret) != *name {
                return Err(StateError::AlteredNode { grove, name: *name });
            }
            let node = Arc::new(node);
            self.shared.cache.insert(*name, node.clone());
            nodes.push(node);
        }
        Ok(nodes)
    }

    async fn rows(
        &self,
        snapshot: &Snapshot,
        grove: Grove,
        names: &[NodeName],
    ) -> Result<Vec<Option<NodeRow>>, StateError> {
        let keys: Vec<_> = names.iter().map(|name| (grove.room, grove.generation, *name)).collect();
        let mut rows = snapshot.get_many::<StateNodes>(&keys).await?;
        if rows.iter().any(Option::is_none) {
            // The root may be younger than the snapshot. A node that is not in flight any more is in a view of now; and since
            // nodes do not change, it does not matter which view has it.
            let now = self.shared.db.snapshot().get_many::<StateNodes>(&keys).await?;
            rows = rows.into_iter().zip(now).map(|(row, now)| row.or(now)).collect();
        }
        Ok(rows)
    }

    fn pin(&self, nodes: Vec<(NodeName, Arc<Node>)>) -> InFlight {
        let names: Vec<_> = nodes.iter().map(|(name, _)| *name).collect();
        {
            let mut in_flight = self.in_flight();
            for (name, node) in nodes {
                in_flight.entry(name).or_insert_with(|| Pinned { node: node.clone(), batches: 0 }).batches +=
                    1;
                self.shared.cache.insert(name, node);
            }
        }
        let tree = self.clone();
        InFlight::new(move || {
            let mut in_flight = tree.in_flight();
            for name in names {
                if let Some(pinned) = in_flight.get_mut(&name) {
                    pinned.batches -= 1;
                    if pinned.batches == 0 {
                        in_flight.remove(&name);
                    }
                }
            }
        })
    }

    fn in_flight(&self) -> MutexGuard<'_, HashMap<NodeName, Pinned>> {
        // Nothing panics while it is held, and each entry is whole at any time.
        self.shared.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn put(batch: &mut Batch, grove: Grove, name: NodeName, node: &Node) {
    batch.put::<StateNodes>(&(grove.room, grove.generation, name), &NodeRow { node: node.clone() });
}

/// What one run of an algorithm reads from: what it has loaded (the cache may drop it any time), and what was in memory before.
struct Loaded<'a> {
    tree: &'a Tree,
    nodes: HashMap<NodeName, Arc<Node>>,
}

impl Nodes for Loaded<'_> {
    fn node(&self, name: NodeName) -> Option<Arc<Node>> {
        if let Some(node) = self.nodes.get(&name) {
            return Some(node.clone());
        }
        let cached = self.tree.shared.cache.get(&name);
        cached.or_else(|| self.tree.in_flight().get(&name).map(|pinned| pinned.node.clone()))
    }
}
