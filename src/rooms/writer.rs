//! The guard of a room.
//!
//! Owns: [`RoomWriter`]: having it means that nobody else writes the room. Does not own: what is written ([`crate::operation`]).
//!
//! Invariants: nothing from another server is awaited while one is held, and no long resolution is run. It is released before the disk is
//! waited for.

use std::sync::Arc;

use plop_state_store::RoomNumber;
use tokio::sync::OwnedMutexGuard;

use crate::loading::LoadError;
use crate::operation::Operation;
use crate::parts::Core;
use crate::reading::RoomReading;
use crate::registry::Registry;
use crate::slot::{Ahead, RoomSlot};

/// The one guard of a room.
pub struct RoomWriter {
    core: Arc<Core>,
    slot: Arc<RoomSlot>,
    ahead: OwnedMutexGuard<Ahead>,
}

impl RoomWriter {
    /// Waits for the guard of a room that is here.
    pub async fn take(core: &Arc<Core>, registry: &Registry, number: RoomNumber) -> Result<Self, LoadError> {
        loop {
            let slot = registry.slot(number).await?;
            let writer = Self::of_slot(core, slot).await;
            // A commit may have been refused while we waited: what runs ahead is worthless then.
            if !writer.slot.has_failed() {
                return Ok(writer);
            }
        }
    }

    /// The guard of a slot, whatever its state.
    pub(crate) async fn of_slot(core: &Arc<Core>, slot: Arc<RoomSlot>) -> Self {
        let ahead = Arc::clone(slot.ahead()).lock_owned().await;
        Self { core: Arc::clone(core), slot, ahead }
    }

    /// The room as it is now, for work that must not hold the guard.
    pub fn reading(&self) -> RoomReading {
        RoomReading::new(Arc::clone(&self.core), Arc::clone(&self.slot), self.ahead.clone())
    }

    /// Whether nothing was written since the reading was made.
    pub(crate) fn is_at(&self, reading: &RoomReading) -> bool {
        self.is_of(reading.slot()) && self.ahead.sequence == reading.sequence()
    }

    /// Whether the room has not been loaded anew since, so that no event in flight was refused on which something was found out.
    pub(crate) fn is_of(&self, slot: &Arc<RoomSlot>) -> bool {
        Arc::ptr_eq(&self.slot, slot)
    }

    /// Lets go of the guard.
    pub(crate) fn release(self) -> Arc<RoomSlot> {
        self.slot
    }

    /// Begins to write.
    pub fn begin(&mut self) -> Operation<'_> {
        Operation::new(&self.core, &self.slot, &mut self.ahead)
    }
}
