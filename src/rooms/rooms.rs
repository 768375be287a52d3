//! The rooms of this server, as the parts above see them.
//!
//! Owns: [`Rooms`], the handle that operations, ingest and readers hang their functions on. Does not own: any of those.
//!
//! Invariants: built once; cheap to clone.

use std::sync::Arc;

use plop_db::ReadError;
use plop_state_store::RoomNumber;
use ruma::RoomId;

use crate::core::Core;
use crate::loading::LoadError;
use crate::registry::Registry;
use crate::view::RoomView;
use crate::writer::RoomWriter;

/// All rooms.
#[derive(Clone)]
pub struct Rooms {
    core: Arc<Core>,
    registry: Arc<Registry>,
}

impl Rooms {
    /// Takes up the rooms of a database. `view_budget`: bytes that pictures of rooms may take in memory.
    pub async fn open(core: Core, view_budget: usize) -> Result<Self, ReadError> {
        let core = Arc::new(core);
        let registry = Arc::new(Registry::open(Arc::clone(&core), view_budget).await?);
        Ok(Self { core, registry })
    }

    /// The parts below.
    pub fn core(&self) -> &Core {
        &self.core
    }

    /// Which rooms are loaded.
    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The number of a room that this server knows.
    pub async fn number(&self, id: &RoomId) -> Result<Option<RoomNumber>, ReadError> {
        self.registry.number(id).await
    }

    /// The published picture of a room.
    pub async fn view(&self, number: RoomNumber) -> Result<Arc<RoomView>, LoadError> {
        Ok(self.registry.slot(number).await?.view())
    }

    /// The published picture of a room, by id.
    pub async fn view_by_id(&self, id: &RoomId) -> Result<Arc<RoomView>, LoadError> {
        let number = self.number(id).await?.ok_or(LoadError::NotHere)?;
        self.view(number).await
    }

    /// The guard of a room.
    pub async fn writer(&self, number: RoomNumber) -> Result<RoomWriter, LoadError> {
        RoomWriter::take(&self.core, &self.registry, number).await
    }
}
