//! Events while a resolution runs: where they come from, and those that are in memory.

use std::collections::HashMap;

use plop_state::resolve::{Known, Lookup, Source};
use plop_state::{Pdu, StateKey};
use ruma::{EventId, OwnedEventId};

use crate::error::StateError;
use crate::numbers::{EventNumber, RoomNumber};

/// An event of a room, judged.
#[derive(Debug, Clone)]
pub struct LoadedEvent {
    pub number: EventNumber,
    pub event: Pdu,
    /// Whether the checks on receipt of a PDU rejected it.
    pub rejected: bool,
}

/// Lends the events of rooms. Implemented by who stores them.
pub trait EventLoader: Sync {
    type Error: From<StateError> + Send;

    /// Events by their numbers, in that order; `None` where there is none.
    fn by_number(
        &self,
        room: RoomNumber,
        numbers: &[EventNumber],
    ) -> impl Future<Output = Result<Vec<Option<LoadedEvent>>, Self::Error>> + Send;

    /// Events by their ids, in that order; `None` where there is none.
    fn by_id(
        &self,
        room: RoomNumber,
        ids: &[OwnedEventId],
    ) -> impl Future<Output = Result<Vec<Option<LoadedEvent>>, Self::Error>> + Send;
}

/// What a resolution has loaded so far.
#[derive(Default)]
pub(super) struct Loaded {
    events: HashMap<OwnedEventId, Option<LoadedEvent>>,
    ids: HashMap<EventNumber, OwnedEventId>,
    unconflicted: HashMap<StateKey, Option<OwnedEventId>>,
}

impl Loaded {
    pub fn insert(&mut self, event: LoadedEvent) {
        let id = event.event.event_id_owned().clone();
        self.ids.insert(event.number, id.clone());
        self.events.insert(id, Some(event));
    }

    pub fn insert_absent(&mut self, id: OwnedEventId) {
        self.events.insert(id, None);
    }

    pub fn insert_unconflicted(&mut self, key: StateKey, event: Option<EventNumber>) {
        // A number without an event was refused when it was loaded.
        let id = event.and_then(|number| self.ids.get(&number).cloned());
        self.unconflicted.insert(key, id);
    }

    pub fn has(&self, number: EventNumber) -> bool {
        self.ids.contains_key(&number)
    }

    pub fn id_of(&self, number: EventNumber) -> Option<&OwnedEventId> {
        self.ids.get(&number)
    }

    pub fn by_id(&self, id: &EventId) -> Option<&LoadedEvent> {
        self.events.get(id).and_then(Option::as_ref)
    }

    pub fn by_number(&self, number: EventNumber) -> Option<&LoadedEvent> {
        self.ids.get(&number).and_then(|id| self.by_id(id))
    }
}

impl Source for Loaded {
    fn event(&self, id: &EventId) -> Lookup<Known> {
        match self.events.get(id) {
            None => Lookup::NotLoaded,
            Some(None) => Lookup::Absent,
            Some(Some(LoadedEvent { event, rejected, .. })) => {
                Lookup::Found(Known { event: event.clone(), rejected: *rejected })
            }
        }
    }

    fn unconflicted(&self, key: &StateKey) -> Lookup<Known> {
        match self.unconflicted.get(key) {
            None => Lookup::NotLoaded,
            Some(None) => Lookup::Absent,
            Some(Some(id)) => self.event(id),
        }
    }
}
