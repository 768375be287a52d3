//! A room at one moment without its guard: events in flight included, or only what is on disk.
//!
//! Owns: [`RoomReading`]: what resolution and the checks of events from elsewhere read while others write the room. Does not own: writing;
//! whoever takes the guard afterwards asks [`crate::writer::RoomWriter::is_at`].
//!
//! Invariants: made under the guard it has every event that the room's head builds on. What was found out on it holds only as long as
//! the room is not loaded anew ([`RoomReading::slot`]): its events in flight may be refused, and their numbers given to others.

use std::collections::BTreeMap;
use std::sync::Arc;

use plop_db::Snapshot;
use plop_state::{Pdu, StateKey};
use plop_state_store::resolver::{EventLoader, LoadedEvent, Resolved};
use plop_state_store::tree::Root;
use plop_state_store::{EventNumber, RoomNumber};
use ruma::{EventId, OwnedEventId};

use crate::core::Core;
use crate::event::RoomEvent;
use crate::event_store::EventReadError;
use crate::operation::StoreFault;
use crate::schema::{Heads, Outcome};
use crate::slot::{Ahead, RoomSlot};
use crate::view::RoomView;

/// A room at one moment.
pub struct RoomReading {
    core: Arc<Core>,
    slot: Arc<RoomSlot>,
    ahead: Ahead,
    snapshot: Snapshot,
}

impl RoomReading {
    /// `ahead` is a copy made under the guard.
    pub(crate) fn new(core: Arc<Core>, slot: Arc<RoomSlot>, ahead: Ahead) -> Self {
        let snapshot = core.db.snapshot();
        Self { core, slot, ahead, snapshot }
    }

    /// The room as it is on disk, with nothing in flight: what others may be told of.
    pub(crate) async fn landed(core: Arc<Core>, slot: Arc<RoomSlot>) -> Result<Self, StoreFault> {
        // The picture first: a snapshot taken afterwards has all that it builds on.
        let view = slot.view();
        let snapshot = core.db.snapshot();
        let head = snapshot.get::<Heads>(&view.number).await?;
        let extremities = head.as_ref().map_or(&[][..], |head| &head.extremities);
        let tips = core.events.get_many(&snapshot, view.number, view.rules, extremities).await?;
        let ahead = Ahead::new(RoomView::clone(&view), head, tips);
        Ok(Self { core, slot, ahead, snapshot })
    }

    /// The room as it was loaded. After a refused commit it is loaded anew, into another slot.
    pub(crate) fn slot(&self) -> &Arc<RoomSlot> {
        &self.slot
    }

    /// The picture of the room.
    pub fn view(&self) -> &RoomView {
        &self.ahead.view
    }

    /// The forward extremities.
    pub fn tips(&self) -> &[Arc<RoomEvent>] {
        &self.ahead.tips
    }

    /// Whether rows of members are behind the picture.
    pub(crate) fn is_behind(&self) -> bool {
        self.ahead.projecting.is_some()
    }

    /// Rises with every batch of a slot.
    pub(crate) fn sequence(&self) -> u64 {
        self.ahead.head.as_ref().map_or(0, |head| head.sequence)
    }

    /// What is on disk.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// An event by number.
    pub async fn event(&self, number: EventNumber) -> Result<Arc<RoomEvent>, EventReadError> {
        if let Some(event) = self.ahead.in_flight(number) {
            return Ok(Arc::clone(event));
        }
        let view = self.view();
        self.core.events.get(&self.snapshot, view.number, view.rules, number).await
    }

    /// An event by id, whatever its outcome.
    pub async fn event_by_id(&self, id: &EventId) -> Result<Option<Arc<RoomEvent>>, EventReadError> {
        if let Some(event) = self.ahead.in_flight_by_id(id) {
            return Ok(Some(Arc::clone(event)));
        }
        match self.core.events.number(&self.snapshot, self.view().number, id).await? {
            Some(number) => self.event(number).await.map(Some),
            None => Ok(None),
        }
    }

    /// The events under some keys of a state.
    pub async fn state_events(
        &self,
        state: &Resolved,
        keys: &[StateKey],
    ) -> Result<BTreeMap<StateKey, Pdu>, StoreFault> {
        let (tree, grove) = (&self.core.state.tree, self.view().grove());
        let held = tree.get_many(&self.snapshot, grove, state.base, keys).await?;
        let mut events = BTreeMap::new();
        for (key, held) in keys.iter().zip(held) {
            let changed = state.changes.iter().find(|(changed, _)| changed == key);
            if let Some(number) = changed.map_or(held, |(_, number)| *number) {
                events.insert(key.clone(), self.event(number).await?.pdu.clone());
            }
        }
        Ok(events)
    }

    /// What is different in another state of the room, with the events that it has.
    pub async fn differences(
        &self,
        from: Root,
        to: Root,
    ) -> Result<Vec<(StateKey, Option<Arc<RoomEvent>>)>, StoreFault> {
        let mut changes = Vec::new();
        for found in self.core.state.tree.diff(&self.snapshot, self.view().grove(), from, to).await? {
            // One of the two has the key, and what it has is a state event.
            let Some(number) = found.after.or(found.before) else { continue };
            let event = self.event(number).await?;
            if let Some(key) = event.pdu.as_state() {
                changes.push((key, found.after.map(|_| event)));
            }
        }
        Ok(changes)
    }
}

impl EventLoader for RoomReading {
    type Error = StoreFault;

    async fn by_number(
        &self,
        _: RoomNumber,
        numbers: &[EventNumber],
    ) -> Result<Vec<Option<LoadedEvent>>, StoreFault> {
        let mut loaded = Vec::with_capacity(numbers.len());
        for number in numbers {
            loaded.push(Some(lend(&*self.event(*number).await?)));
        }
        Ok(loaded)
    }

    async fn by_id(
        &self,
        _: RoomNumber,
        ids: &[OwnedEventId],
    ) -> Result<Vec<Option<LoadedEvent>>, StoreFault> {
        let mut loaded = Vec::with_capacity(ids.len());
        for id in ids {
            loaded.push(self.event_by_id(id).await?.as_deref().map(lend));
        }
        Ok(loaded)
    }
}

fn lend(event: &RoomEvent) -> LoadedEvent {
    LoadedEvent {
        number: event.number,
        event: event.pdu.clone(),
        rejected: event.facts.outcome == Outcome::Rejected,
    }
}
