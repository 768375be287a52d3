//! One loaded room: what readers see and what the writer builds on.
//!
//! Owns: [`RoomSlot`], the pair of the published view and the running-ahead state behind the writer's guard. Does not own: which rooms
//! are loaded ([`crate::registry`]), what is written ([`crate::operation`]).
//!
//! Invariants: the published view changes only from a commit hook, so in commit order. While anything of a room is in flight its
//! slot stays loaded. After a refused commit the slot is `failed`: what runs ahead is worthless, and the next writer reloads it from disk
//! once nothing is in flight any more. A batch that was never queued (the store is read-only, the batch too large, its request gone) fails
//! nothing: nobody has built on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use plop_state_store::EventNumber;
use ruma::{EventId, OwnedEventId};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};

use crate::event::RoomEvent;
use crate::history_place::HistoryPlace;
use crate::schema::{HeadRow, ProjectingRow, RelatedRow, ThreadRow};
use crate::view::RoomView;

/// Batches of one room that may wait for the disk at once. More makes the group larger than one sync is worth.
pub const MAX_IN_FLIGHT: u32 = 64;

/// What the next event of a room builds on.
#[derive(Debug, Clone)]
pub struct Ahead {
    pub view: RoomView,
    /// The forward extremities.
    pub forward_extremities: Vec<Arc<RoomEvent>>,
    /// Rises with every batch; 0 before the room's first one.
    pub sequence: u64,
    pub next_event: EventNumber,
    /// Where the next live event stands in graph order.
    pub next_place: HistoryPlace,
    /// The state is not complete yet.
    pub is_partial: bool,
    /// Events of batches that may still be in flight, which no snapshot shows yet.
    pub pending: imbl::OrdMap<EventNumber, Arc<RoomEvent>>,
    /// New forms of older events in such batches, each with the sequence of the head that its batch makes.
    pub rewritten: imbl::OrdMap<EventNumber, (u64, Arc<RoomEvent>)>,
    /// The last rows of threads in such batches, likewise.
    pub threads: imbl::OrdMap<OwnedEventId, (u64, ThreadRow)>,
    /// What such batches make of the aggregations of events, likewise.
    pub related: imbl::OrdMap<OwnedEventId, (u64, RelatedRow)>,
    /// Where the rows of members are behind the picture.
    pub projecting: Option<ProjectingRow>,
}

impl Ahead {
    /// A room without events.
    pub fn empty(view: RoomView) -> Self {
        Self {
            view,
            forward_extremities: Vec::new(),
            sequence: 0,
            next_event: EventNumber(1),
            next_place: HistoryPlace::FIRST,
            is_partial: false,
            pending: imbl::OrdMap::new(),
            rewritten: imbl::OrdMap::new(),
            threads: imbl::OrdMap::new(),
            related: imbl::OrdMap::new(),
            projecting: None,
        }
    }

    /// What is on disk, with nothing in flight. The picture has taken its part of the head ([`RoomView::stand_at`]), and these are the extremities
    /// that it names.
    pub fn landed(view: RoomView, head: &HeadRow, forward_extremities: Vec<Arc<RoomEvent>>) -> Self {
        Self {
            forward_extremities,
            sequence: head.sequence,
            next_event: head.next_event,
            next_place: head.next_place,
            is_partial: head.is_partial,
            ..Self::empty(view)
        }
    }

    /// The row that says where the room stands; `None` before its first batch.
    pub fn head(&self) -> Option<HeadRow> {
        let head = || HeadRow {
            sequence: self.sequence,
            next_event: self.next_event,
            generation: self.view.generation,
            root: self.view.root,
            forward_extremities: self.forward_extremities.iter().map(|extremity| extremity.number).collect(),
            next_place: self.next_place,
            totals: self.view.totals,
            is_partial: self.is_partial,
        };
        (self.sequence > 0).then(head)
    }

    /// An event of a batch that may be in flight, in its newest form.
    pub fn in_flight(&self, number: EventNumber) -> Option<&Arc<RoomEvent>> {
        self.rewritten.get(&number).map(|(_, event)| event).or_else(|| self.pending.get(&number))
    }

    /// The same, by its id.
    pub fn in_flight_by_id(&self, id: &EventId) -> Option<&Arc<RoomEvent>> {
        let rewritten = self.rewritten.values().map(|(_, event)| event);
        rewritten.chain(self.pending.values()).find(|event| event.pdu.event_id() == id)
    }

    /// Lets go of what every snapshot shows from now on.
    pub fn forget_landed(&mut self, landed: Landed) {
        while let Some(number) =
            self.pending.get_min().map(|(number, _)| *number).filter(|number| *number < landed.next_event)
        {
            self.pending.remove(&number);
        }
        forget(&mut self.rewritten, landed.sequence);
        forget(&mut self.threads, landed.sequence);
        forget(&mut self.related, landed.sequence);
    }
}

/// Removes the entries of batches up to this sequence.
fn forget<K: Ord + Clone, V: Clone>(entries: &mut imbl::OrdMap<K, (u64, V)>, landed: u64) {
    let over = entries.iter().filter(|(_, (sequence, _))| *sequence <= landed);
    let over: Vec<K> = over.map(|(key, _)| key.clone()).collect();
    for key in over {
        entries.remove(&key);
    }
}

/// How far a room is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Landed {
    /// The head's sequence.
    pub sequence: u64,
    /// The first event number that is not on disk.
    pub next_event: EventNumber,
}

/// A loaded room.
pub struct RoomSlot {
    published: ArcSwap<RoomView>,
    ahead: Arc<Mutex<Ahead>>,
    in_flight: Arc<Semaphore>,
    failed: AtomicBool,
    /// [`Landed`], changed in commit order.
    sequence: AtomicU64,
    next_event: AtomicU64,
}

impl RoomSlot {
    /// A slot as loaded from disk.
    pub fn new(ahead: Ahead) -> Self {
        Self {
            published: ArcSwap::from_pointee(ahead.view.clone()),
            sequence: AtomicU64::new(ahead.sequence),
            next_event: AtomicU64::new(ahead.next_event.0),
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

    /// What is on disk: a snapshot taken from now on has all of it.
    pub fn landed(&self) -> Landed {
        let next_event = EventNumber(self.next_event.load(Ordering::Acquire));
        Landed { sequence: self.sequence.load(Ordering::Acquire), next_event }
    }

    /// Waits until nothing of this room is in flight.
    pub async fn drained(&self) {
        // The semaphore is never closed; were it, nothing would be in flight.
        let _permits = self.in_flight.acquire_many(MAX_IN_FLIGHT).await;
    }

    /// Waits until the head of this sequence is on disk. False when it never will be: a commit before it, or its own, was refused.
    pub async fn settled(&self, sequence: u64) -> bool {
        if self.landed().sequence < sequence {
            self.drained().await;
        }
        self.landed().sequence >= sequence
    }

    /// Room for one more batch in flight. The first half is told when the batch is queued, the second one goes with it.
    pub async fn take_off(self: &Arc<Self>) -> (Boarding, Flight) {
        // See `drained`: without a permit the batch is merely not counted.
        let permit = Arc::clone(&self.in_flight).acquire_owned().await.ok();
        let stage = Arc::new(AtomicU8::new(BOARDING));
        let boarding = Boarding { slot: Arc::clone(self), stage: Arc::clone(&stage) };
        (boarding, Flight { slot: Arc::clone(self), stage, _permit: permit })
    }
}

/// Not queued yet: nothing is built on the batch.
const BOARDING: u8 = 0;
/// The writer's state runs ahead with the batch.
const QUEUED: u8 = 1;
/// On disk.
const LANDED: u8 = 2;
/// Dropped without having landed.
const LOST: u8 = 3;

/// A batch that is about to be queued. Dropped, nothing has happened: no writer has built on the batch.
pub struct Boarding {
    slot: Arc<RoomSlot>,
    stage: Arc<AtomicU8>,
}

impl Boarding {
    /// The batch is queued: what comes next builds on it, so from now on its refusal is the slot's failure.
    pub fn queued(self) {
        // The committer may have been quicker.
        let was = self.stage.compare_exchange(BOARDING, QUEUED, Ordering::AcqRel, Ordering::Acquire);
        if was == Err(LOST) {
            self.slot.failed.store(true, Ordering::Release);
        }
    }
}

/// A batch on its way to the disk. Once queued it marks the slot as failed if it is dropped without [`Flight::land`]: the commit was refused.
pub struct Flight {
    slot: Arc<RoomSlot>,
    stage: Arc<AtomicU8>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Flight {
    /// The batch is on disk: readers see what it made. Called from the commit hook.
    pub fn land(self, mut view: RoomView, landed: Landed) {
        self.stage.store(LANDED, Ordering::Release);
        // A batch without live events has no position of its own, and what runs ahead does not know those of the batches before it.
        view.position = view.position.max(self.slot.published.load().position);
        self.slot.next_event.fetch_max(landed.next_event.0, Ordering::AcqRel);
        self.slot.sequence.fetch_max(landed.sequence, Ordering::AcqRel);
        self.slot.published.store(Arc::new(view));
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        // Before the permit is given back, so whoever gets one afterwards knows.
        if self.stage.load(Ordering::Acquire) != LANDED && self.stage.swap(LOST, Ordering::AcqRel) == QUEUED {
            self.slot.failed.store(true, Ordering::Release);
        }
    }
}
