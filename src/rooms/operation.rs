//! One operation on a room: the events and rows that are committed together.
//!
//! Owns: [`Operation`], which gives events their numbers, their place in both orders and in the state, and submits the batch. Does
//! not own: who may do what beyond the event rules (the operations above), how an event from elsewhere got its verdict.
//!
//! Events of ours begin in [`append`]. Places in graph order and the rows of events are in [`placing`], what an accepted event makes of the
//! room in [`advancing`], the live stream in [`arriving`], what follows from a changed state in [`projecting`], redactions in [`redacting`], what
//! an event is to others in [`relating`].
//!
//! Invariants: dropped before [`Operation::submit`] it has no effect. Every batch expects the head it was built on, so a refusal
//! refuses everything built on it. Nothing from another server is awaited here.

mod advancing;
mod append;
mod arriving;
mod placing;
mod projecting;
mod redacting;
mod relating;

use std::sync::Arc;

use plop_db::{Batch, Position, Receipt, Snapshot};
use plop_state::StateKey;
use plop_state_store::{EventNumber, InFlight};
use ruma::EventId;

pub use advancing::Advance;
pub use append::AppendError;
pub use placing::Placement;

use crate::event::RoomEvent;
use crate::event_store::EventReadError;
use crate::fault::StoreFault;
use crate::parts::Core;
use crate::schema::{Events, Heads};
use crate::slot::{Ahead, Landed, RoomSlot};
use crate::state_change;

/// Work on a room under its guard.
pub struct Operation<'w> {
    core: &'w Core,
    slot: &'w Arc<RoomSlot>,
    writer: &'w mut Ahead,
    next: Ahead,
    snapshot: Snapshot,
    batch: Batch,
    /// State nodes and auth links of this batch, readable from memory until it is on disk.
    held: Vec<InFlight>,
    /// Positions given to live events of this batch.
    live: u32,
    /// Events whose rows this batch changes.
    rewritten: Vec<EventNumber>,
}

impl<'w> Operation<'w> {
    pub(crate) fn new(core: &'w Core, slot: &'w Arc<RoomSlot>, writer: &'w mut Ahead) -> Self {
        // What was on disk before the snapshot was taken is in it.
        let landed = slot.landed();
        let snapshot = core.db.snapshot();
        writer.forget_landed(landed);
        let next = writer.clone();
        Self {
            core,
            slot,
            writer,
            next,
            snapshot,
            batch: Batch::durable(),
            held: Vec::new(),
            live: 0,
            rewritten: Vec::new(),
        }
    }

    /// The state as this operation has made it so far.
    pub fn view(&self) -> &crate::view::RoomView {
        &self.next.view
    }

    /// What the operation works with.
    pub fn core(&self) -> &Core {
        self.core
    }

    /// Rises with every batch: what was found out about the room holds while it stays.
    pub fn sequence(&self) -> u64 {
        self.next.sequence
    }

    /// Whether the room's state is not complete yet.
    pub fn is_partial(&self) -> bool {
        self.next.is_partial
    }

    /// Further rows that are committed together with the events.
    pub fn batch(&mut self) -> &mut Batch {
        &mut self.batch
    }

    /// The position that the newest live event of this batch will take.
    pub fn newest_position(&self) -> Option<Position> {
        self.live.checked_sub(1).map(Position::pending)
    }

    /// The snapshot that this operation reads.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The forward extremities.
    pub fn forward_extremities(&self) -> &[Arc<RoomEvent>] {
        &self.next.forward_extremities
    }

    /// Events that may still be in flight.
    pub fn pending(&self) -> impl Iterator<Item = &Arc<RoomEvent>> {
        self.next.pending.values()
    }

    /// An event by number, those in flight included.
    pub async fn event(&self, number: EventNumber) -> Result<Arc<RoomEvent>, EventReadError> {
        if let Some(event) = self.next.in_flight(number) {
            return Ok(Arc::clone(event));
        }
        let view = &self.next.view;
        self.core.events.get(&self.snapshot, view.number, view.rules, number).await
    }

    /// An event by id, those in flight included.
    pub async fn event_by_id(&self, id: &EventId) -> Result<Option<Arc<RoomEvent>>, EventReadError> {
        if let Some(event) = self.next.in_flight_by_id(id) {
            return Ok(Some(Arc::clone(event)));
        }
        match self.core.events.number(&self.snapshot, self.next.view.number, id).await? {
            Some(number) => self.event(number).await.map(Some),
            None => Ok(None),
        }
    }

    /// The current state event under a key.
    pub async fn state_event(&self, key: &StateKey) -> Result<Option<Arc<RoomEvent>>, StoreFault> {
        match self.current(key).await? {
            Some(number) => Ok(Some(self.event(number).await?)),
            None => Ok(None),
        }
    }

    /// The number of the current state event under a key.
    pub async fn current(&self, key: &StateKey) -> Result<Option<EventNumber>, StoreFault> {
        let view = &self.next.view;
        if let Some(event) = view.kept(key) {
            return Ok(Some(event.number));
        }
        if crate::view::is_kept(key) {
            return Ok(None);
        }
        if key.kind() == "m.room.member"
            && let Ok(user) = <&ruma::UserId>::try_from(key.key())
        {
            return Ok(view.member_event(user));
        }
        Ok(self.core.state.tree.get(&self.snapshot, view.grove(), view.root, key).await?)
    }

    /// Whether there is nothing to commit: a repeated transaction, a state that is set already.
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// Takes back all that it has done so far: it stands where it began.
    pub fn abandon(&mut self) {
        self.next = self.writer.clone();
        self.batch = Batch::durable();
        self.held.clear();
        self.live = 0;
        self.rewritten.clear();
    }

    /// Hands the batch to the committer. Once it is queued the writer's state runs ahead; the receipt resolves when the batch is on disk.
    ///
    /// # Errors
    /// A conflict where a commit was refused that the operation has built on. Whatever the error, the room is as it was.
    pub async fn submit(mut self) -> Result<Receipt, StoreFault> {
        let room = self.next.view.number;
        self.batch.expect::<Heads>(&room, self.writer.head().as_ref());
        self.next.sequence += 1;
        if let Some(head) = self.next.head() {
            self.batch.put::<Heads>(&room, &head);
        }
        let (boarding, flight) = self.slot.take_off().await;
        if self.slot.has_failed() {
            // Nothing holds the reload up any more, and the room as loaded anew may come to a head that is the same as the refused one.
            return Err(StoreFault::refused_before());
        }
        let published = self.next.view.clone();
        let last_live = self.live.checked_sub(1);
        let (landed, held) =
            (Landed { sequence: self.next.sequence, next_event: self.next.next_event }, self.held);
        let (events, rewritten) = (self.core.events.clone(), self.rewritten);
        let receipt = self
            .core
            .db
            .submit(self.batch, move |committed| {
                let mut view = published;
                if let Some(index) = last_live {
                    view.position = committed.position_at(index);
                }
                for number in rewritten {
                    events.rewrote(room, number, committed.position);
                }
                flight.land(view, landed);
                drop(held);
            })
            .await?;
        boarding.queued();
        *self.writer = self.next;
        Ok(receipt)
    }

    /// Writes another form of an event that is here: redacted, or judged anew.
    pub fn rewrite(&mut self, event: &Arc<RoomEvent>) {
        let room = self.next.view.number;
        self.batch.put::<Events>(&(room, event.number), &event.to_row());
        self.next.rewritten.insert(event.number, (self.next.sequence.saturating_add(1), Arc::clone(event)));
        self.rewritten.push(event.number);
        let Some(key) = event.pdu.as_state() else { return };
        if self.next.view.kept(&key).is_some_and(|kept| kept.number == event.number) {
            self.next.view.set_kept(key, Some(Arc::clone(event)));
        } else {
            state_change::rewrite_member(&self.next.view, &mut self.batch, &key, event);
        }
    }
}
