//! Texts of events that cannot be judged before others have come.
//!
//! Owns: [`Staging`]: the texts of one answer, a few in memory, the rest in rows of their own. Does not own: what is done with them.
//!
//! Invariants: no more than [`HELD_BYTES`] of an answer are in memory, whatever its size. The rows go with the `Staging`, also where that is dropped
//! halfway; those of a process that died go at the next start ([`Ingest::forget_staged`]). Nobody else reads them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use plop_base::{TaskKind, Tasks};
use plop_db::codec::Tail;
use plop_db::{Batch, KeyRange};
use plop_state_store::RoomNumber;

use super::gate::Ingest;
use crate::fault::StoreFault;
use crate::loading::LoadError;
use crate::parts::Core;
use crate::schema::StagedEvents;

/// Bytes of texts in memory, and in one batch.
const HELD_BYTES: usize = 512 * 1024;

/// The texts of one answer.
pub(super) struct Staging {
    core: Arc<Core>,
    tasks: Tasks,
    room: RoomNumber,
    answer: u64,
    held: BTreeMap<u32, String>,
    held_bytes: usize,
    has_rows: bool,
}

impl Ingest {
    pub(super) fn staging(&self, room: RoomNumber) -> Staging {
        Staging {
            core: Arc::clone(self.rooms.shared_core()),
            tasks: self.tasks.clone(),
            room,
            answer: self.answers.fetch_add(1, Ordering::Relaxed),
            held: BTreeMap::new(),
            held_bytes: 0,
            has_rows: false,
        }
    }

    /// Deletes what a process that died has left: to be called once after a start, before anything is taken in.
    pub async fn forget_staged(&self) -> Result<(), LoadError> {
        let mut batch = Batch::relaxed();
        batch.delete_range(KeyRange::<StagedEvents>::all());
        self.rooms.core().db.commit(batch).await.map_err(StoreFault::from)?;
        Ok(())
    }
}

impl Staging {
    /// Keeps the text of an event, once.
    pub async fn put(&mut self, event: u32, text: &str) -> Result<(), StoreFault> {
        if self.held_bytes + text.len() > HELD_BYTES {
            self.write().await?;
        }
        self.held_bytes += text.len();
        self.held.insert(event, text.to_owned());
        Ok(())
    }

    async fn write(&mut self) -> Result<(), StoreFault> {
        let mut batch = Batch::relaxed();
        for (event, text) in std::mem::take(&mut self.held) {
            batch.put::<StagedEvents>(&(self.room, self.answer, event), &Tail(text));
        }
        self.held_bytes = 0;
        self.has_rows = true;
        self.core.db.commit(batch).await?;
        Ok(())
    }

    /// The texts of some events, in their order, as far as there are any.
    pub async fn texts(&self, events: &[u32]) -> Result<Vec<Option<String>>, StoreFault> {
        let keys: Vec<_> = events
            .iter()
            .filter(|event| self.has_rows && !self.held.contains_key(*event))
            .map(|event| (self.room, self.answer, *event))
            .collect();
        let rows = self.core.db.snapshot().get_many::<StagedEvents>(&keys).await?;
        let mut rows: BTreeMap<_, _> = keys.into_iter().zip(rows).collect();
        let mut row =
            |event: u32| rows.remove(&(self.room, self.answer, event)).flatten().map(|Tail(text)| text);
        Ok(events.iter().map(|event| self.held.get(event).cloned().or_else(|| row(*event))).collect())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.has_rows {
            return;
        }
        let (core, range) =
            (Arc::clone(&self.core), KeyRange::<StagedEvents>::prefix(&(self.room, self.answer)));
        let work = async move {
            let mut batch = Batch::relaxed();
            batch.delete_range(range);
            core.db.commit(batch).await?;
            Ok(())
        };
        self.tasks.spawn_once(TaskKind::RoomWork, "texts of an answer that has been taken in", work);
    }
}
