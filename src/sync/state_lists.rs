//! What a room's state has besides its members, in memory.
//!
//! Owns: a bounded cache of those entries. Does not own: the states.
//!
//! Invariants: the entries are those of the root that was asked for. From one state to the next the cost follows the difference; only the first look at
//! a room goes through all of its state, and then loads no member events. So a client that loads members lazily costs the same in a room of any size.

use std::collections::BTreeMap;
use std::sync::Arc;

use plop_rooms::event::RoomEvent;
use plop_rooms::fault::StoreFault;
use plop_rooms::reader::state::StatePages;
use plop_state_store::tree::Root;
use plop_state_store::{EventNumber, KeyHash, RoomNumber};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::scene::{Scene, member};

/// Bytes of entries that are kept, about.
const CACHE_BYTES: u64 = 16 << 20;
/// Differences of states that are read at once.
const PAGE: usize = 500;

/// The entries of one state that are no member events.
pub struct WithoutMembers {
    root: Root,
    entries: BTreeMap<KeyHash, EventNumber>,
}

impl WithoutMembers {
    /// The events.
    pub fn numbers(&self) -> Vec<EventNumber> {
        self.entries.values().copied().collect()
    }
}

#[derive(Clone)]
struct ByEntries;

impl Weighter<RoomNumber, Arc<WithoutMembers>> for ByEntries {
    fn weight(&self, _: &RoomNumber, list: &Arc<WithoutMembers>) -> u64 {
        const ENTRY: u64 = 48;
        128 + ENTRY * list.entries.len() as u64
    }
}

/// The lists of rooms, each of the state that was asked for last.
pub struct StateLists(Cache<RoomNumber, Arc<WithoutMembers>, ByEntries>);

impl Default for StateLists {
    fn default() -> Self {
        const USUAL_LIST: u64 = 1024;
        let rooms = usize::try_from(CACHE_BYTES / USUAL_LIST).unwrap_or(usize::MAX);
        Self(Cache::with_weighter(rooms, CACHE_BYTES, ByEntries))
    }
}

impl StateLists {
    /// The entries of a state that are no member events.
    pub async fn without_members(
        &self,
        scene: &Scene<'_>,
        root: Root,
    ) -> Result<Arc<WithoutMembers>, StoreFault> {
        let room = scene.number();
        let list = match self.0.get(&room) {
            Some(list) if list.root == root => return Ok(list),
            Some(list) => Arc::new(changed(scene, &list, root).await?),
            None => Arc::new(read(scene, root).await?),
        };
        self.0.insert(room, Arc::clone(&list));
        Ok(list)
    }
}

async fn read(scene: &Scene<'_>, root: Root) -> Result<WithoutMembers, StoreFault> {
    let tree = &scene.core.state.tree;
    let mut entries = BTreeMap::new();
    let mut pages = StatePages::without_members(root, &scene.view);
    while let Some(events) = pages.next(&scene.reader).await? {
        let entry = |event: &Arc<RoomEvent>| Some((tree.key_hash(&event.pdu.as_state()?), event.number));
        entries.extend(events.iter().filter_map(entry));
    }
    Ok(WithoutMembers { root, entries })
}

async fn changed(scene: &Scene<'_>, list: &WithoutMembers, root: Root) -> Result<WithoutMembers, StoreFault> {
    let differences = scene.diff(list.root, root).await?;
    let mut entries = list.entries.clone();
    for part in differences.chunks(PAGE) {
        let there: Vec<(KeyHash, EventNumber)> =
            part.iter().filter_map(|found| Some((found.key, found.after?))).collect();
        for gone in part.iter().filter(|found| found.after.is_none()) {
            entries.remove(&gone.key);
        }
        let numbers: Vec<EventNumber> = there.iter().map(|(_, number)| *number).collect();
        let events = scene.events(&numbers).await?;
        let others = there.into_iter().zip(events).filter(|(_, event)| member(event).is_none());
        entries.extend(others.map(|(entry, _)| entry));
    }
    Ok(WithoutMembers { root, entries })
}
