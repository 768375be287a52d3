//! The way into rooms for what other servers send.
//!
//! Owns: [`Ingest`] and what keeps its calls apart. Does not own: what it does, which is in the files of the stages.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use plop_base::Tasks;
use plop_state_store::RoomNumber;
use ruma::OwnedRoomId;
use tokio::sync::Semaphore;

use super::outrun::Outrun;
use super::turns::Turns;
use crate::remote::Remote;
use crate::rooms::Rooms;

/// Rooms of other servers that are joined at once.
const JOINS_AT_ONCE: usize = 16;

/// The way into rooms for what other servers send. Clones share it.
#[derive(Clone)]
pub struct Ingest {
    pub(super) rooms: Rooms,
    pub(super) remote: Arc<dyn Remote>,
    pub(super) tasks: Tasks,
    /// Rooms that are being joined, so that each is joined once at a time.
    pub(super) joining: Turns<OwnedRoomId>,
    /// Places for joins: each takes in a whole room.
    pub(super) joins: Arc<Semaphore>,
    /// Rooms in which an event is getting its place. The next one waits until that has landed, so it sees all gaps, places and redactions.
    pub(super) placing: Turns<RoomNumber>,
    /// Events that are tried again soon.
    pub(super) outrun: Outrun,
    /// The number of the next answer that is as large as a room.
    pub(super) answers: Arc<AtomicU64>,
}

impl Ingest {
    /// `remote` is how other servers are asked; what must be finished whoever waits for it is a task.
    pub fn new(rooms: Rooms, remote: Arc<dyn Remote>, tasks: Tasks) -> Self {
        let joins = Arc::new(Semaphore::new(JOINS_AT_ONCE));
        Self {
            rooms,
            remote,
            tasks,
            joining: Turns::default(),
            joins,
            placing: Turns::default(),
            outrun: Outrun::default(),
            answers: Arc::default(),
        }
    }

    /// The rooms that it writes.
    pub fn rooms(&self) -> &Rooms {
        &self.rooms
    }
}
