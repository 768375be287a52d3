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

use crate::event::RoomEvent;
use crate::event_store::EventReadError;
use crate::fault::StoreFault;
use crate::parts::Core;
use crate::schema::{Heads, Outcome};
use crate::slot::{Ahead, RoomSlot};
use crate::state_change::Changes;
use crate::view::RoomView;

/// Events of a difference that are read at once.
const PAGE: usize = 200;

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
        let view = RoomView::clone(&view);
        let ahead = match snapshot.get::<Heads>(&view.number).await? {
            Some(head) => {
                let numbers = &head.forward_extremities;
                let forward_extremities =
                    core.events.get_many(&snapshot, view.number, view.rules, numbers).await?;
                Ahead::landed(view, &head, forward_extremities)
            }
            None => Ahead::empty(view),
        };
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
    pub fn forward_extremities(&self) -> &[Arc<RoomEvent>] {
        &self.ahead.forward_extremities
    }

    /// Whether rows of members are behind the picture.
    pub(crate) fn is_behind(&self) -> bool {
        self.ahead.projecting.is_some()
    }

    /// Rises with every batch of a slot.
    pub(crate) fn sequence(&self) -> u64 {
        self.ahead.sequence
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

    /// Several events by number, in that order.
    pub async fn events(&self, numbers: &[EventNumber]) -> Result<Vec<Arc<RoomEvent>>, EventReadError> {
        let in_flight = |number: &EventNumber| self.ahead.in_flight(*number);
        let landed: Vec<EventNumber> =
            numbers.iter().filter(|number| in_flight(number).is_none()).copied().collect();
        let view = self.view();
        let landed = self.core.events.get_many(&self.snapshot, view.number, view.rules, &landed).await?;
        let mut landed = landed.into_iter();
        let events = numbers.iter().map(|number| in_flight(number).cloned().or_else(|| landed.next()));
        Ok(events.flatten().collect())
    }

    /// Which of several events are here, whatever their outcome.
    pub async fn are_here(&self, ids: &[OwnedEventId]) -> Result<Vec<bool>, EventReadError> {
        Ok(self.numbers(ids).await?.iter().map(Option::is_some).collect())
    }

    async fn numbers(&self, ids: &[OwnedEventId]) -> Result<Vec<Option<EventNumber>>, EventReadError> {
        let mut numbers = self.core.events.numbers(&self.snapshot, self.view().number, ids).await?;
        for (id, number) in ids.iter().zip(&mut numbers) {
            *number = self.ahead.in_flight_by_id(id).map(|event| event.number).or(*number);
        }
        Ok(numbers)
    }

    /// Several events by id, in that order; nothing for those that are not here.
    pub async fn events_by_id(
        &self,
        ids: &[OwnedEventId],
    ) -> Result<Vec<Option<Arc<RoomEvent>>>, EventReadError> {
        let numbers = self.numbers(ids).await?;
        let here: Vec<EventNumber> = numbers.iter().flatten().copied().collect();
        let mut events = self.events(&here).await?.into_iter();
        Ok(numbers.iter().map(|number| number.and_then(|_| events.next())).collect())
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

    /// What is different in another state of the room.
    pub async fn differences(&self, from: Root, to: Root) -> Result<Changes, StoreFault> {
        let found = self.core.state.tree.diff(&self.snapshot, self.view().grove(), from, to).await?;
        let mut changes = Changes::default();
        for page in found.chunks(PAGE) {
            // One of the two has the key, and what it has is a state event.
            let numbers: Vec<EventNumber> =
                page.iter().filter_map(|found| found.after.or(found.before)).collect();
            for (found, event) in page.iter().zip(self.events(&numbers).await?) {
                if let Some(key) = event.pdu.as_state() {
                    let current = found.after.map(|_| event);
                    changes.push(key, current, self.view().rules, &self.core.server);
                }
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
        Ok(self.events(numbers).await?.iter().map(|event| Some(lend(event))).collect())
    }

    async fn by_id(
        &self,
        _: RoomNumber,
        ids: &[OwnedEventId],
    ) -> Result<Vec<Option<LoadedEvent>>, StoreFault> {
        Ok(self.events_by_id(ids).await?.iter().map(|event| event.as_deref().map(lend)).collect())
    }
}

fn lend(event: &RoomEvent) -> LoadedEvent {
    LoadedEvent {
        number: event.number,
        event: event.pdu.clone(),
        rejected: event.facts.outcome == Outcome::Rejected,
    }
}
