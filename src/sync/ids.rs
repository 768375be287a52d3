//! The ids of rooms by number, in memory.
//!
//! Owns: a bounded cache. Invariants: a number never belongs to another room, so what is cached is right for ever.

use plop_db::{Db, ReadError};
use plop_rooms::schema::Rooms;
use plop_state_store::RoomNumber;
use quick_cache::sync::Cache;
use ruma::OwnedRoomId;

/// Ids that are kept.
const CACHED: usize = 20_000;

/// The ids of rooms.
pub struct RoomIds {
    db: Db,
    cache: Cache<RoomNumber, OwnedRoomId>,
}

impl RoomIds {
    pub fn new(db: Db) -> Self {
        Self { db, cache: Cache::new(CACHED) }
    }

    /// The id of a room that this server knows, whether it is here or not.
    pub async fn of(&self, room: RoomNumber) -> Result<Option<OwnedRoomId>, ReadError> {
        if let Some(id) = self.cache.get(&room) {
            return Ok(Some(id));
        }
        let id = self.db.snapshot().get::<Rooms>(&room).await?.map(|row| row.id);
        if let Some(id) = &id {
            self.cache.insert(room, id.clone());
        }
        Ok(id)
    }
}
