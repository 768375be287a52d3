//! What the states of rooms have besides their members, in memory.
//!
//! Owns: a bounded cache of those entries, a list for each room. Does not own: the states, or how a list is made
//! ([`crate::reader::without_members`]).
//!
//! Invariants: a list is whole for the root that it names, and never changes. The cache is bounded by bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use plop_state_store::tree::Root;
use plop_state_store::{EventNumber, KeyHash, RoomNumber};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

/// Bytes of entries that are kept, about.
const CACHE_BYTES: u64 = 16 << 20;

/// The entries of one state that are no member events.
#[derive(Debug, Clone)]
pub(crate) struct WithoutMembers {
    pub root: Root,
    pub entries: BTreeMap<KeyHash, EventNumber>,
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

/// The lists of rooms, each of a state that was the room's current one when somebody asked.
pub struct StateLists(Cache<RoomNumber, Arc<WithoutMembers>, ByEntries>);

impl Default for StateLists {
    fn default() -> Self {
        const USUAL_LIST: u64 = 1024;
        let rooms = usize::try_from(CACHE_BYTES / USUAL_LIST).unwrap_or(usize::MAX);
        Self(Cache::with_weighter(rooms, CACHE_BYTES, ByEntries))
    }
}

impl StateLists {
    /// The list that is kept of a room.
    pub(crate) fn of(&self, room: RoomNumber) -> Option<Arc<WithoutMembers>> {
        self.0.get(&room)
    }

    /// Keeps a list in the place of the one before.
    pub(crate) fn keep(&self, room: RoomNumber, list: &Arc<WithoutMembers>) {
        self.0.insert(room, Arc::clone(list));
    }
}
