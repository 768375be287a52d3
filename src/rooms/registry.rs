//! Which rooms are loaded, and the way to one.
//!
//! Owns: [`Registry`]: room ids to numbers, loading on demand, forgetting what is idle. Does not own: what a loaded room does.
//!
//! Invariants: at most one slot for a room, so one writer: a slot is forgotten only when nobody holds it, and two requests
//! for an unloaded room share one load. A slot whose commit was refused is replaced by a fresh one as soon as nothing of it is in flight.
//! The views in memory stay near the byte budget; what is in use is kept whatever it weighs.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use plop_db::{Direction, KeyRange, ReadError};
use plop_state_store::RoomNumber;
use ruma::RoomId;
use tokio::sync::OnceCell;

use crate::core::Core;
use crate::loading::{LoadError, load};
use crate::schema::{RoomIds, Rooms};
use crate::slot::RoomSlot;

/// The loaded rooms.
pub struct Registry {
    core: Arc<Core>,
    rooms: Mutex<BTreeMap<RoomNumber, Entry>>,
    /// Bytes that views may take in memory before idle ones are forgotten.
    budget: usize,
    /// Rises with every use of a room: the age of an entry.
    uses: AtomicU64,
    next_number: AtomicU64,
}

struct Entry {
    slot: Arc<OnceCell<Arc<RoomSlot>>>,
    used: u64,
}

/// Entries looked at by one sweep at most, so that a request never pays for all rooms.
const SWEEP_EVERY: u64 = 256;

impl Registry {
    /// Reads the highest room number given out.
    pub async fn open(core: Arc<Core>, budget: usize) -> Result<Self, ReadError> {
        let last = core.db.snapshot().scan(KeyRange::<Rooms>::all(), Direction::Backward, 1).await?;
        let next = last.rows.first().map_or(1, |(number, _)| number.0 + 1);
        let rooms = Mutex::new(BTreeMap::new());
        Ok(Self { core, rooms, budget, uses: AtomicU64::new(0), next_number: AtomicU64::new(next) })
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
        loop {
            let cell = self.cell(number);
            let load =
                || async { load(&self.core, number).await.map(|ahead| Arc::new(RoomSlot::new(ahead))) };
            let slot = match cell.get_or_try_init(load).await {
                Ok(slot) => Arc::clone(slot),
                Err(error) => {
                    self.forget(number, &cell);
                    return Err(error);
                }
            };
            if !slot.has_failed() {
                return Ok(slot);
            }
            slot.drained().await;
            self.forget(number, &cell);
        }
    }

    /// Takes in a room that has just been made and is not on disk yet.
    pub fn insert(&self, number: RoomNumber, slot: Arc<RoomSlot>) {
        let used = self.uses.fetch_add(1, Ordering::Relaxed);
        let entry = Entry { slot: Arc::new(OnceCell::new_with(Some(slot))), used };
        self.lock().insert(number, entry);
    }

    fn cell(&self, number: RoomNumber) -> Arc<OnceCell<Arc<RoomSlot>>> {
        let used = self.uses.fetch_add(1, Ordering::Relaxed);
        let mut rooms = self.lock();
        if used.is_multiple_of(SWEEP_EVERY) {
            sweep(&mut rooms, self.budget);
        }
        let entry = rooms.entry(number).or_insert_with(|| Entry { slot: Arc::new(OnceCell::new()), used });
        entry.used = used;
        Arc::clone(&entry.slot)
    }

    /// Drops an entry, unless another one has taken its place.
    fn forget(&self, number: RoomNumber, cell: &Arc<OnceCell<Arc<RoomSlot>>>) {
        let mut rooms = self.lock();
        if rooms.get(&number).is_some_and(|entry| Arc::ptr_eq(&entry.slot, cell)) {
            rooms.remove(&number);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<RoomNumber, Entry>> {
        // The map is whole at every await and panic point: nothing in between touches it.
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets the rooms that have not been used for longest until the rest fits.
fn sweep(rooms: &mut BTreeMap<RoomNumber, Entry>, budget: usize) {
    let weight = |entry: &Entry| entry.slot.get().map_or(0, |slot| slot.view().weight());
    let mut total: usize = rooms.values().map(weight).sum();
    if total <= budget {
        return;
    }
    let mut idle: Vec<(u64, RoomNumber, usize)> = rooms
        .iter()
        // Held by this map alone: no reader, no writer, nothing in flight.
        .filter(|(_, entry)| Arc::strong_count(&entry.slot) == 1)
        .filter(|(_, entry)| entry.slot.get().is_some_and(|slot| Arc::strong_count(slot) == 1))
        .map(|(number, entry)| (entry.used, *number, weight(entry)))
        .collect();
    idle.sort_unstable();
    for (_, number, weight) in idle {
        if total <= budget {
            break;
        }
        rooms.remove(&number);
        total = total.saturating_sub(weight);
    }
}
