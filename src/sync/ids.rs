//! The ids of rooms by number, and their numbers by id, in memory.
//!
//! Owns: a bounded cache. Invariants: a number never belongs to another room, so what is cached is right for ever.

use std::collections::BTreeMap;

use plop_db::{Db, ReadError};
use plop_rooms::schema::{RoomIds as Numbers, RoomRecords};
use plop_state_store::RoomNumber;
use quick_cache::sync::Cache;
use ruma::OwnedRoomId;

/// Ids that are kept.
const CACHED: usize = 20_000;

/// The ids of rooms.
pub struct RoomIds {
    db: Db,
    cache: Cache<RoomNumber, OwnedRoomId>,
    numbers: Cache<OwnedRoomId, RoomNumber>,
}

impl RoomIds {
    pub fn new(db: Db) -> Self {
        Self { db, cache: Cache::new(CACHED), numbers: Cache::new(CACHED) }
    }

    /// The ids of rooms that this server knows, whether they are here or not: one round for all that are not in memory.
    pub async fn of(
        &self,
        rooms: impl Iterator<Item = RoomNumber>,
    ) -> Result<BTreeMap<RoomNumber, OwnedRoomId>, ReadError> {
        let mut ids = BTreeMap::new();
        let mut missing = Vec::new();
        for room in rooms {
            match self.cache.get(&room) {
                Some(id) => drop(ids.insert(room, id)),
                None => missing.push(room),
            }
        }
        if !missing.is_empty() {
            let rows = self.db.snapshot().get_many::<RoomRecords>(&missing).await?;
            for (room, row) in missing.into_iter().zip(rows) {
                if let Some(row) = row {
                    self.cache.insert(room, row.id.clone());
                    ids.insert(room, row.id);
                }
            }
        }
        Ok(ids)
    }

    /// The numbers of rooms, in their order; `None` for one that this server does not know.
    pub async fn numbers(&self, rooms: &[OwnedRoomId]) -> Result<Vec<Option<RoomNumber>>, ReadError> {
        let mut numbers: Vec<Option<RoomNumber>> = rooms.iter().map(|id| self.numbers.get(id)).collect();
        let missing = rooms.iter().zip(&numbers).filter(|(_, number)| number.is_none());
        let missing: Vec<OwnedRoomId> = missing.map(|(id, _)| id.clone()).collect();
        if missing.is_empty() {
            return Ok(numbers);
        }
        let mut found = self.db.snapshot().get_many::<Numbers>(&missing).await?.into_iter();
        for (id, number) in rooms.iter().zip(&mut numbers).filter(|(_, number)| number.is_none()) {
            *number = found.next().flatten();
            if let Some(number) = number {
                self.numbers.insert(id.clone(), *number);
            }
        }
        Ok(numbers)
    }
}
