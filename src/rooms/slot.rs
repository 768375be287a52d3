//! One loaded room: what readers see and what the writer builds on.
//!
//! Owns: [`RoomSlot`], the pair of the published view and the running-ahead state behind the writer's guard. Does not own: which rooms
//! are loaded ([`crate::registry`]), what is written ([`crate::operation`]).
//!
//! Invariants: the published view changes only from a commit hook, so in commit order. While anything of a room is in flight its
//! slot stays loaded. After a refused commit the slot is `failed`: what runs ahead is worthless, and the next writer reloads it from disk
//! once nothing is in flight any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use plop_state_store::EventNumber;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};

use crate::event::RoomEvent;
use crate::schema::HeadRow;
use crate::view::RoomView;

/// Batches of one room that may wait for the disk at once. More makes the group larger than one sync is worth.
pub const MAX_IN_FLIGHT: u32 = 64;

/// What the next event of a room builds on.
#[derive(Debug, Clone)]
pub struct Ahead {
    pub view: RoomView,
    /// The head as submitted last; `None` before the room's first event.
    pub head: Option<HeadRow>,
    /// The forward extremities.
    pub tips: Vec<Arc<RoomEvent>>,
    /// Events of batches that may still be in flight, which no snapshot shows yet.
    pub pending: imbl::OrdMap<EventNumber, Arc<RoomEvent>>,
}

/// A loaded room.
pub struct RoomSlot {
    published: ArcSwap<RoomView>,
    ahead: Arc<Mutex<Ahead>>,
    in_flight: Arc<Semaphore>,
    failed: AtomicBool,
    /// The first event number that is not on disk.
    committed: AtomicU64,
}

impl RoomSlot {
    /// A slot as loaded from disk.
    pub fn new(ahead: Ahead) -> Self {
        Self {
            published: ArcSwap::from_pointee(ahead.view.clone()),
            committed: AtomicU64::new(ahead.head.as_ref().map_or(0, |head| head.next_event.0)),
            ahead: Arc::new(Mutex::new(ahead)),
            in_flight: Arc::new(Semaphore::new(MAX_IN_FLIGHT as usize)),
            failed: AtomicBool::new(false),
        }
    }

    /// The published picture.
    pub fn view(&self) -> Arc<RoomView> {
        self.published.load_full()
    }

    /// The guard of the room.
    pub fn ahead(&self) -> &Arc<Mutex<Ahead>> {
        &self.ahead
    }

    /// Whether a commit was refused since the slot was loaded.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// The first event number that is not on disk. A snapshot taken from now on has all events below it.
    pub fn committed(&self) -> EventNumber {
        EventNumber(self.committed.load(Ordering::Acquire))
    }

    /// Waits until nothing of this room is in flight.
    pub async fn drained(&self) {
        // The semaphore is never closed; were it, nothing would be in flight.
        let _permits = self.in_flight.acquire_many(MAX_IN_FLIGHT).await;
    }

    /// Room for one more batch in flight.
    pub async fn take_off(self: &Arc<Self>) -> Flight {
        // See `drained`: without a permit the batch is merely not counted.
        let permit = Arc::clone(&self.in_flight).acquire_owned().await.ok();
        Flight { slot: Arc::clone(self), _permit: permit, landed: false }
    }
}

/// A batch on its way to the disk. Dropped without [`Flight::land`] it marks the slot as failed: the commit was refused.
pub struct Flight {
    slot: Arc<RoomSlot>,
    _permit: Option<OwnedSemaphorePermit>,
    landed: bool,
}

impl Flight {
    /// The batch is on disk: readers see what it made. Called from the commit hook.
    pub fn land(mut self, view: RoomView, next_event: EventNumber) {
        self.landed = true;
        self.slot.committed.fetch_max(next_event.0, Ordering::AcqRel);
        self.slot.published.store(Arc::new(view));
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if !self.landed {
            self.slot.failed.store(true, Ordering::Release);
        }
    }
}
