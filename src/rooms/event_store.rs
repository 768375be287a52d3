//! Events by number and by id, through a cache.
//!
//! Owns: reading event rows, and the cache of decoded events. Does not own: writing them ([`crate::writer`]), or events of batches in
//! flight, which their writer holds itself.
//!
//! Invariants: the cache holds only what is on disk, in its newest form: what was read from a snapshot older than the last rewritten row is not
//! kept, so a redacted event's original never comes back. It is bounded by bytes.

use std::sync::{Arc, PoisonError, RwLock};

use plop_db::{Position, ReadError, Snapshot};
use plop_state::Rules;
use plop_state_store::{EventNumber, RoomNumber};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use ruma::{EventId, OwnedEventId};

use crate::event::{DamagedEvent, RoomEvent};
use crate::schema::{EventNumbers, Events};

type Key = (RoomNumber, EventNumber);

/// Decoded events of all rooms. Clones share the cache.
#[derive(Clone)]
pub struct EventStore {
    shared: Arc<Shared>,
}

struct Shared {
    cache: Cache<Key, Arc<RoomEvent>, TextBytes>,
    /// The commit that last changed the row of an existing event.
    rewritten: RwLock<Position>,
}

/// An event that should be there cannot be had.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EventReadError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Damaged(#[from] DamagedEvent),
    #[error("event {0:?} is referred to and not stored")]
    Dangling(EventNumber),
}

#[derive(Clone)]
struct TextBytes;

impl Weighter<Key, Arc<RoomEvent>> for TextBytes {
    fn weight(&self, _: &Key, event: &Arc<RoomEvent>) -> u64 {
        event.memory() as u64
    }
}

impl EventStore {
    /// A store whose cache holds about `cache_bytes`.
    pub fn new(cache_bytes: u64) -> Self {
        const AVERAGE_EVENT: u64 = 2048;
        let items = usize::try_from(cache_bytes / AVERAGE_EVENT).unwrap_or(usize::MAX);
        let cache = Cache::with_weighter(items, cache_bytes, TextBytes);
        Self { shared: Arc::new(Shared { cache, rewritten: RwLock::new(Position::START) }) }
    }

    /// One event.
    pub async fn get(
        &self,
        snapshot: &Snapshot,
        room: RoomNumber,
        rules: &Rules,
        number: EventNumber,
    ) -> Result<Arc<RoomEvent>, EventReadError> {
        if let Some(event) = self.shared.cache.get(&(room, number)) {
            return Ok(event);
        }
        let row = snapshot.get::<Events>(&(room, number)).await?.ok_or(EventReadError::Dangling(number))?;
        let event = Arc::new(RoomEvent::from_row(number, row, rules)?);
        self.keep(snapshot, (room, number), &event);
        Ok(event)
    }

    /// Several events, in the order of `numbers`; one round to the disk for all that are not in memory.
    pub async fn get_many(
        &self,
        snapshot: &Snapshot,
        room: RoomNumber,
        rules: &Rules,
        numbers: &[EventNumber],
    ) -> Result<Vec<Arc<RoomEvent>>, EventReadError> {
        let mut found: Vec<Option<Arc<RoomEvent>>> =
            numbers.iter().map(|number| self.shared.cache.get(&(room, *number))).collect();
        let missing: Vec<Key> = numbers
            .iter()
            .zip(&found)
            .filter(|(_, event)| event.is_none())
            .map(|(number, _)| (room, *number))
            .collect();
        let mut rows = snapshot.get_many::<Events>(&missing).await?.into_iter();
        for (number, slot) in numbers.iter().zip(&mut found) {
            if slot.is_none() {
                let row = rows.next().flatten().ok_or(EventReadError::Dangling(*number))?;
                let event = Arc::new(RoomEvent::from_row(*number, row, rules)?);
                self.keep(snapshot, (room, *number), &event);
                *slot = Some(event);
            }
        }
        Ok(found.into_iter().flatten().collect())
    }

    /// The number of an event, if this room has it, whatever its outcome.
    pub async fn number(
        &self,
        snapshot: &Snapshot,
        room: RoomNumber,
        event: &EventId,
    ) -> Result<Option<EventNumber>, ReadError> {
        snapshot.get::<EventNumbers>(&(room, event.to_owned())).await
    }

    /// The numbers of several events, in their order.
    pub async fn numbers(
        &self,
        snapshot: &Snapshot,
        room: RoomNumber,
        events: &[OwnedEventId],
    ) -> Result<Vec<Option<EventNumber>>, ReadError> {
        let keys: Vec<_> = events.iter().map(|event| (room, event.clone())).collect();
        snapshot.get_many::<EventNumbers>(&keys).await
    }

    /// Forgets an event whose row a commit has changed. Called from the commit hook.
    pub fn rewrote(&self, room: RoomNumber, number: EventNumber, commit: Position) {
        let mut rewritten = self.shared.rewritten.write().unwrap_or_else(PoisonError::into_inner);
        *rewritten = commit.max(*rewritten);
        drop(rewritten);
        self.shared.cache.remove(&(room, number));
    }

    /// Keeps what was read, unless a row may have changed since.
    fn keep(&self, snapshot: &Snapshot, key: Key, event: &Arc<RoomEvent>) {
        if self.is_older_than_rewrites(snapshot) {
            return;
        }
        self.shared.cache.insert(key, Arc::clone(event));
        // A rewrite in between has looked for the entry too early.
        if self.is_older_than_rewrites(snapshot) {
            self.shared.cache.remove(&key);
        }
    }

    fn is_older_than_rewrites(&self, snapshot: &Snapshot) -> bool {
        snapshot.position() < *self.shared.rewritten.read().unwrap_or_else(PoisonError::into_inner)
    }
}
