//! The rooms of this server, as the parts above see them.
//!
//! Owns: [`Rooms`], the handle that operations, ingest and readers hang their functions on. Does not own: any of those.
//!
//! Invariants: built once; cheap to clone.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use plop_base::{Clock, Random};
use plop_db::{CommitError, Committed, Db, ReadError, Receipt};
use plop_state::sign::SigningKey;
use plop_state_store::tree::Tree;
use plop_state_store::{RoomNumber, StateStore};
use ruma::{RoomId, ServerName};
use tokio::sync::Semaphore;

use crate::event_store::EventStore;
use crate::fault::StoreFault;
use crate::invitations::Invitations;
use crate::loading::LoadError;
use crate::operation::Operation;
use crate::parameters::RoomParameters;
use crate::parts::Core;
use crate::reading::RoomReading;
use crate::registry::Registry;
use crate::spaces::walk::Walks;
use crate::state_lists::StateLists;
use crate::view::RoomView;
use crate::writer::RoomWriter;

/// How often an operation is run before the conflict is the caller's. One conflict needs a refused commit; several in a row are a
/// second process writing the same store.
const ATTEMPTS: u32 = 4;

/// Pages of events of states and auth chains that are read for other servers at once.
pub(crate) const PAGES_AT_ONCE: usize = 4;

/// The end of a submitted batch.
pub async fn settle(submitted: Result<Receipt, StoreFault>) -> Result<Committed, StoreFault> {
    Ok(submitted?.await?)
}

/// All rooms.
#[derive(Clone)]
pub struct Rooms {
    core: Arc<Core>,
    registry: Arc<Registry>,
    served_pages: Arc<Semaphore>,
    walks: Arc<Walks>,
}

impl Rooms {
    /// Takes up the rooms of a database, as those of the server that signs with this key.
    pub async fn open(
        db: Db,
        state: StateStore,
        key: SigningKey,
        clock: Clock,
        random: Random,
        parameters: &RoomParameters,
    ) -> Result<Self, ReadError> {
        let core = Arc::new(Core {
            db,
            state,
            events: EventStore::new(parameters.event_cache_bytes),
            state_lists: StateLists::default(),
            server: key.server().to_owned(),
            key,
            invitations: Invitations::new(parameters.invites, clock.clone()),
            clock,
            random,
            redaction_retention: parameters.redaction_retention,
            notices_user: parameters.notices_user.clone(),
        });
        let registry = Arc::new(Registry::open(Arc::clone(&core), parameters.view_bytes).await?);
        let (served_pages, walks) = (Arc::new(Semaphore::new(PAGES_AT_ONCE)), Arc::default());
        Ok(Self { core, registry, served_pages, walks })
    }

    /// The name of the server whose rooms they are.
    pub fn server(&self) -> &ServerName {
        &self.core.server
    }

    /// The database that they are in. Its rows are this crate's to write.
    pub fn db(&self) -> &Db {
        &self.core.db
    }

    /// Events by number and by id.
    pub fn events(&self) -> &EventStore {
        &self.core.events
    }

    /// Their states.
    pub fn states(&self) -> &Tree {
        &self.core.state.tree
    }

    /// The parts below.
    pub(crate) fn core(&self) -> &Core {
        &self.core
    }

    /// The parts below, to keep.
    pub(crate) fn shared_core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Which rooms are loaded.
    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Places for reading pages of states and auth chains for other servers.
    pub(crate) fn served_pages(&self) -> &Arc<Semaphore> {
        &self.served_pages
    }

    /// Walks through spaces that users have begun.
    pub(crate) fn walks(&self) -> &Walks {
        &self.walks
    }

    /// The number of a room that this server knows.
    pub async fn number(&self, id: &RoomId) -> Result<Option<RoomNumber>, ReadError> {
        self.registry.number(id).await
    }

    /// The published picture of a room.
    pub async fn view(&self, number: RoomNumber) -> Result<Arc<RoomView>, LoadError> {
        Ok(self.registry.slot(number).await?.view())
    }

    /// The published picture of a room that is in memory. Looking keeps it there no longer.
    pub fn loaded_view(&self, number: RoomNumber) -> Option<Arc<RoomView>> {
        Some(self.registry.loaded(number)?.view())
    }

    /// The published picture of a room, by id.
    pub async fn view_by_id(&self, id: &RoomId) -> Result<Arc<RoomView>, LoadError> {
        let number = self.number(id).await?.ok_or(LoadError::NotHere)?;
        self.view(number).await
    }

    /// Runs an operation on a room and waits until it is on disk. Where a commit is refused because the room has moved on under
    /// it (another commit was refused before), the work is done again on the reloaded room.
    ///
    /// `request` is what the work reads: passed through, since a closure that borrowed it could not be moved between threads.
    ///
    /// # Errors
    /// What `work` refuses; the room is then as it was.
    pub(crate) async fn write<C, T, E>(
        &self,
        number: RoomNumber,
        request: &C,
        work: impl for<'a> Fn(&'a mut Operation<'_>, &'a C) -> BoxFuture<'a, Result<T, E>>,
    ) -> Result<T, E>
    where
        E: From<LoadError> + From<StoreFault>,
    {
        let mut attempt = 1;
        loop {
            let mut writer = self.writer(number).await?;
            let mut operation = writer.begin();
            let outcome = work(&mut operation, request).await?;
            let settled = if operation.is_empty() {
                // What it found may still be in flight: a repeated request must not be acknowledged before the first one is on disk.
                let sequence = operation.sequence();
                let is_on_disk = writer.release().settled(sequence).await;
                if is_on_disk { Ok(()) } else { Err(StoreFault::refused_before()) }
            } else {
                let submitted = operation.submit().await;
                drop(writer);
                settle(submitted).await.map(drop)
            };
            match settled {
                Ok(()) => return Ok(outcome),
                Err(StoreFault::Commit(CommitError::Conflict { .. })) if attempt < ATTEMPTS => attempt += 1,
                Err(fault) => return Err(fault.into()),
            }
        }
    }

    /// A room as it is on disk.
    pub(crate) async fn landed(&self, number: RoomNumber) -> Result<RoomReading, LoadError> {
        let slot = self.registry.slot(number).await?;
        Ok(RoomReading::landed(Arc::clone(&self.core), slot).await?)
    }

    /// The guard of a room.
    pub(crate) async fn writer(&self, number: RoomNumber) -> Result<RoomWriter, LoadError> {
        RoomWriter::take(&self.core, &self.registry, number).await
    }
}
