//! Which rooms are loaded, and the way to one.
//!
//! Owns: [`Registry`]: room ids to numbers, loading on demand, forgetting what is idle. Does not own: what a loaded room does.
//!
//! Invariants: at most one slot for a room, so one writer: a slot is forgotten only when nobody holds it, and two requests
//! for an unloaded room share one load. A slot whose commit was refused is replaced by a fresh one as soon as nothing of it is in flight.
//! The views in memory stay near the byte budget; what is in use is kept whatever it weighs. Who goes through thousands of rooms once does not take the place
//! of those that are used again and again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plop_db::{Direction, KeyRange, ReadError};
use plop_state_store::RoomNumber;
use ruma::RoomId;
use tokio::sync::Mutex as AsyncMutex;

use crate::loading::{LoadError, load};
use crate::parts::Core;
use crate::schema::{RoomIds, RoomRecords};
use crate::slot::RoomSlot;

/// The loaded rooms.
pub struct Registry {
    core: Arc<Core>,
    loaded: Mutex<Loaded>,
    next_number: AtomicU64,
}

struct Loaded {
    rooms: BTreeMap<RoomNumber, Entry>,
    /// Bytes that views may take in memory before idle ones are forgotten.
    budget: usize,
    /// Rises with every use of a room: the age of an entry.
    uses: u64,
    /// When they were last weighed, in uses.
    weighed: u64,
    /// Bytes of the rooms that were taken in since then.
    taken_in: usize,
}

struct Entry {
    slot: SharedSlot,
    used: u64,
    /// Whether a request has come back to it after the one that took it in.
    is_used_again: bool,
}

/// A slot, or its place while it is being loaded: who loads holds the lock, and the others wait for it.
type SharedSlot = Arc<AsyncMutex<Option<Arc<RoomSlot>>>>;

impl Entry {
    /// What is loaded; nothing while somebody loads or looks it up.
    fn loaded(&self) -> Option<Arc<RoomSlot>> {
        self.slot.try_lock().ok().and_then(|slot| slot.clone())
    }

    fn weight(&self) -> usize {
        self.loaded().map_or(0, |slot| slot.view().weight())
    }

    /// Held by the registry alone: no reader of the slot, no writer, nothing in flight.
    fn is_idle(&self) -> bool {
        const HERE: usize = 2;
        Arc::strong_count(&self.slot) == 1
            && self.loaded().is_some_and(|slot| Arc::strong_count(&slot) == HERE)
    }
}

/// The part of the budget that is taken in between two weighings: a weighing reads every entry, which is little beside loading a share of them.
const WEIGHED_SHARE: usize = 16;
/// The part of the budget that rooms have at least which were used once only, so that they stay long enough to be used again.
const NEW_SHARE: usize = 4;
/// Uses of a room that are no further apart than this many are those of one request.
const ONE_REQUEST: u64 = 64;

impl Registry {
    /// Reads the highest room number given out.
    pub async fn open(core: Arc<Core>, budget: usize) -> Result<Self, ReadError> {
        let last = core.db.snapshot().scan(KeyRange::<RoomRecords>::all(), Direction::Backward, 1).await?;
        let next = last.rows.first().map_or(1, |(number, _)| number.0 + 1);
        let loaded = Loaded { rooms: BTreeMap::new(), budget, uses: 0, weighed: 0, taken_in: 0 };
        Ok(Self { core, loaded: Mutex::new(loaded), next_number: AtomicU64::new(next) })
    }

    /// A number that no room has had. It is taken once a batch with its `rooms` row is committed; until then a restart may give it again.
    pub fn new_number(&self) -> RoomNumber {
        RoomNumber(self.next_number.fetch_add(1, Ordering::Relaxed))
    }

    /// The number of a room that this server knows.
    pub async fn number(&self, id: &RoomId) -> Result<Option<RoomNumber>, ReadError> {
        self.core.db.snapshot().get::<RoomIds>(&id.to_owned()).await
    }

    /// The slot of a room, loaded if need be.
    pub async fn slot(&self, number: RoomNumber) -> Result<Arc<RoomSlot>, LoadError> {
        let shared = self.shared(number);
        // Held while the room drains and loads: whoever wants this room has to wait for both in any case, and one load serves all of them;
        // other rooms have places of their own. What is waited for needs no place: batches end on the committer, and a load only reads.
        let mut place = shared.lock().await;
        if let Some(slot) = &*place {
            if !slot.has_failed() {
                return Ok(Arc::clone(slot));
            }
            slot.drained().await;
            *place = None;
        }
        match load(&self.core, number).await {
            Ok(ahead) => {
                let slot = Arc::new(RoomSlot::new(ahead));
                *place = Some(Arc::clone(&slot));
                drop(place);
                self.lock().took_in(slot.view().weight());
                Ok(slot)
            }
            Err(error) => {
                self.forget(number, &shared);
                Err(error)
            }
        }
    }

    /// The slot of a room that is in memory and fit for use; nothing is loaded or waited for.
    pub fn loaded(&self, number: RoomNumber) -> Option<Arc<RoomSlot>> {
        let shared = Arc::clone(&self.lock().rooms.get(&number)?.slot);
        let slot = shared.try_lock().ok()?.clone();
        slot.filter(|slot| !slot.has_failed())
    }

    /// Takes in a room that is about to be committed for the first time, before anybody can find it on disk and load it.
    pub fn introduce(&self, number: RoomNumber, slot: Arc<RoomSlot>) -> Introduced<'_> {
        let weight = slot.view().weight();
        let slot = Arc::new(AsyncMutex::new(Some(slot)));
        let mut loaded = self.lock();
        let used = loaded.next_use();
        loaded.insert(number, Arc::clone(&slot), used);
        loaded.took_in(weight);
        drop(loaded);
        Introduced { registry: self, number, slot, stays: false }
    }

    fn shared(&self, number: RoomNumber) -> SharedSlot {
        self.lock().shared(number)
    }

    /// Drops an entry, unless another one has taken its place.
    fn forget(&self, number: RoomNumber, shared: &SharedSlot) {
        let rooms = &mut self.lock().rooms;
        if rooms.get(&number).is_some_and(|entry| Arc::ptr_eq(&entry.slot, shared)) {
            rooms.remove(&number);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Loaded> {
        // The map is whole at every await and panic point: nothing in between touches it.
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A room whose first batch is not queued yet. Dropped, the room is gone again: its batch was not queued, or its request has ended.
#[must_use]
pub struct Introduced<'r> {
    registry: &'r Registry,
    number: RoomNumber,
    slot: SharedSlot,
    stays: bool,
}

impl Introduced<'_> {
    /// The batch is queued; if it is refused, the slot has failed and is loaded anew like any other.
    pub fn stays(mut self) {
        self.stays = true;
    }
}

impl Drop for Introduced<'_> {
    fn drop(&mut self) {
        if !self.stays {
            self.registry.forget(self.number, &self.slot);
        }
    }
}

impl Loaded {
    /// The place of a room, a new one if it has none.
    fn shared(&mut self, number: RoomNumber) -> SharedSlot {
        let used = self.next_use();
        if let Some(entry) = self.rooms.get_mut(&number) {
            entry.is_used_again |= used - entry.used > ONE_REQUEST;
            entry.used = used;
            return Arc::clone(&entry.slot);
        }
        let slot = SharedSlot::default();
        self.insert(number, Arc::clone(&slot), used);
        slot
    }

    fn insert(&mut self, number: RoomNumber, slot: SharedSlot, used: u64) {
        self.rooms.insert(number, Entry { slot, used, is_used_again: false });
    }

    /// A room is in memory that was not before. Makes room now and then.
    fn took_in(&mut self, weight: usize) {
        self.taken_in += weight;
        if self.taken_in > self.budget / WEIGHED_SHARE {
            self.sweep();
        }
    }

    /// Makes room for those that grow as often as weighing all of them is one look for each use.
    fn next_use(&mut self) -> u64 {
        const FEW: usize = 64;
        self.uses += 1;
        if self.uses - self.weighed > self.rooms.len().max(FEW) as u64 {
            self.sweep();
        }
        self.uses
    }

    /// Forgets rooms until the rest fits: of those that were used once, as far as they have more than their share, then of all, those first that have
    /// not been used for longest.
    fn sweep(&mut self) {
        (self.weighed, self.taken_in) = (self.uses, 0);
        let mut total: usize = self.rooms.values().map(Entry::weight).sum();
        if total <= self.budget {
            return;
        }
        let mut idle: Vec<(u64, RoomNumber, usize, bool)> = self
            .rooms
            .iter()
            .filter(|(_, entry)| entry.is_idle())
            .map(|(number, entry)| (entry.used, *number, entry.weight(), entry.is_used_again))
            .collect();
        idle.sort_unstable();
        let is_new = |room: &&(u64, RoomNumber, usize, bool)| !room.3;
        let mut new: usize = idle.iter().filter(is_new).map(|(_, _, weight, _)| weight).sum();
        for (_, number, weight, _) in idle.iter().filter(is_new) {
            if total <= self.budget || new <= self.budget / NEW_SHARE {
                break;
            }
            self.rooms.remove(number);
            (total, new) = (total.saturating_sub(*weight), new - weight);
        }
        for (_, number, weight, _) in idle {
            if total <= self.budget {
                break;
            }
            if self.rooms.remove(&number).is_some() {
                total = total.saturating_sub(weight);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use plop_state::rules;
    use ruma::{RoomVersionId, room_id};

    use super::*;

    fn slot(number: u64) -> Arc<RoomSlot> {
        let rules = rules(&RoomVersionId::V12).expect("a known version");
        let view = crate::view::RoomView::empty(RoomNumber(number), room_id!("!a:b.c").to_owned(), rules);
        Arc::new(RoomSlot::new(crate::slot::Ahead::empty(view)))
    }

    /// Room for so many empty rooms.
    fn loaded(rooms: usize) -> Loaded {
        let budget = rooms * slot(1).view().weight();
        Loaded { rooms: BTreeMap::new(), budget, uses: 0, weighed: 0, taken_in: 0 }
    }

    /// A request that uses a room, which is loaded if need be; says whether it was.
    fn request(loaded: &mut Loaded, number: u64) -> bool {
        let place = loaded.shared(RoomNumber(number));
        let mut place = place.try_lock().expect("nobody else");
        let is_missing = place.is_none();
        if is_missing {
            let slot = slot(number);
            *place = Some(Arc::clone(&slot));
            drop(place);
            loaded.took_in(slot.view().weight());
        }
        for _ in 0..3 {
            drop(loaded.shared(RoomNumber(number)));
        }
        is_missing
    }

    fn requests(loaded: &mut Loaded, numbers: Range<u64>) {
        for number in numbers {
            request(loaded, number);
        }
    }

    #[test]
    fn who_goes_through_thousands_of_rooms_pushes_out_none_that_is_used_again() {
        let mut loaded = loaded(1_000);
        for _ in 0..2 {
            requests(&mut loaded, 1..501);
        }
        requests(&mut loaded, 10_001..15_001);
        assert!((1..=500).all(|number| !request(&mut loaded, number)));
        assert!(loaded.rooms.len() <= 1_000 + 1_000 / WEIGHED_SHARE + 1);
        // Rooms that come to be used again have the places of those that are not any more.
        for first in [20_000, 30_000, 40_000, 50_000] {
            for _ in 0..2 {
                requests(&mut loaded, first..first + 200);
            }
        }
        assert!((50_000..50_200).all(|number| !request(&mut loaded, number)));
        assert!((1..=500).any(|number| request(&mut loaded, number)));
    }

    #[test]
    fn a_load_costs_few_looks_at_other_rooms() {
        let mut loaded = loaded(1_000);
        let (mut looks, mut weighed) = (0, 0);
        for number in 1..=5_000 {
            request(&mut loaded, number);
            if std::mem::replace(&mut weighed, loaded.weighed) != loaded.weighed {
                looks += loaded.rooms.len();
            }
        }
        assert!(looks <= 5_000 * 2 * WEIGHED_SHARE, "{looks}");
    }
}
