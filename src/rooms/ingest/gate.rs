//! The way into rooms for what other servers send.
//!
//! Owns: [`Ingest`] and what keeps its calls apart. Does not own: what it does, which is in the files of the stages.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use plop_base::Tasks;
use plop_state_store::RoomNumber;
use ruma::{OwnedEventId, OwnedRoomId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::outrun::Outrun;
use super::turns::Turns;
use crate::remote::Remote;
use crate::rooms::Rooms;

/// Rooms of other servers that are joined at once.
const JOINS_AT_ONCE: usize = 16;

/// Other answers as large as a room that are taken in at once: states and auth chains.
const ANSWERS_AT_ONCE: usize = 16;

/// Leave to take in an answer as large as a room, until it is dropped.
pub(super) struct AnswerPermit {
    _permit: Option<OwnedSemaphorePermit>,
}

impl AnswerPermit {
    async fn of(places: &Arc<Semaphore>) -> Self {
        // The semaphore is never closed; were it, answers would merely not be counted.
        Self { _permit: Arc::clone(places).acquire_owned().await.ok() }
    }
}

/// The way into rooms for what other servers send. Clones share it.
#[derive(Clone)]
pub struct Ingest {
    pub(super) rooms: Rooms,
    pub(super) remote: Arc<dyn Remote>,
    pub(super) tasks: Tasks,
    /// Rooms that are being joined, so that each is joined once at a time.
    pub(super) joining: Turns<OwnedRoomId>,
    /// Places for joins: each takes in a whole room.
    joins: Arc<Semaphore>,
    /// Places for what other events need. A join may wait for one of them, and nobody who has one waits for a second.
    others: Arc<Semaphore>,
    /// Events that are being judged, so that of several who hand one over one asks for what it needs.
    pub(super) judging: Turns<(RoomNumber, OwnedEventId)>,
    /// Rooms in which an event is getting its place. The next one waits until that has landed, so it sees all gaps, places and redactions.
    pub(super) placing: Turns<RoomNumber>,
    /// Rooms for which it is decided which events wait.
    pub(super) queueing: Turns<RoomNumber>,
    /// Events that are tried again soon.
    pub(super) outrun: Outrun,
    /// The number of the next answer that is as large as a room.
    pub(super) answers: Arc<AtomicU64>,
}

impl Ingest {
    /// `remote` is how other servers are asked; what must be finished whoever waits for it is a task.
    pub fn new(rooms: Rooms, remote: Arc<dyn Remote>, tasks: Tasks) -> Self {
        Self {
            rooms,
            remote,
            tasks,
            joining: Turns::default(),
            joins: Arc::new(Semaphore::new(JOINS_AT_ONCE)),
            others: Arc::new(Semaphore::new(ANSWERS_AT_ONCE)),
            judging: Turns::default(),
            placing: Turns::default(),
            queueing: Turns::default(),
            outrun: Outrun::default(),
            answers: Arc::default(),
        }
    }

    /// Waits until one more join may take in its room.
    pub(super) async fn join_permit(&self) -> AnswerPermit {
        AnswerPermit::of(&self.joins).await
    }

    /// Waits until the state or the auth chain of one more event may be taken in.
    pub(super) async fn answer_permit(&self) -> AnswerPermit {
        AnswerPermit::of(&self.others).await
    }

    /// The rooms that it writes.
    pub fn rooms(&self) -> &Rooms {
        &self.rooms
    }
}
