//! States and auth chains.
//!
//! Invariants: an answer with events holds one of [`STATES_AT_ONCE`](crate::rooms::STATES_AT_ONCE) places as long as it lives, for it is a whole room; one with ids reads rows page by
//! page and keeps the ids. Neither has more than [`MAX_EVENTS`].

use std::sync::Arc;

use plop_state_store::EventNumber;
use plop_state_store::tree::Root;
use ruma::{EventId, OwnedEventId, RoomId, ServerName};
use tokio::sync::OwnedSemaphorePermit;

use super::{ServeError, servable};
use crate::event::RoomEvent;
use crate::fault::StoreFault;
use crate::reading::RoomReading;
use crate::remote::StateIds;
use crate::rooms::Rooms;
use crate::schema::Outcome;

/// Entries read at once.
const PAGE: usize = 1_000;

/// Events of a state with its auth chain in one answer. The largest rooms have some 200,000.
const MAX_EVENTS: usize = 500_000;

/// A state and its auth chain.
#[derive(Debug)]
pub struct ServedState {
    pub state: Vec<Arc<RoomEvent>>,
    pub auth_chain: Vec<Arc<RoomEvent>>,
    _place: Option<OwnedSemaphorePermit>,
}

/// The same by numbers.
struct Numbers {
    state: Vec<EventNumber>,
    auth_chain: Vec<EventNumber>,
}

impl Rooms {
    /// The state before an event, by ids (`GET /state_ids/{roomId}`).
    pub async fn serve_state_ids(
        &self,
        to: &ServerName,
        room: &RoomId,
        event: &EventId,
    ) -> Result<StateIds, ServeError> {
        let reading = self.shared_with(to, room).await?;
        let before = state_before(&reading, event).await?;
        let Numbers { state, auth_chain } = self.numbers_with_chain(&reading, before).await?;
        let state = servable_ids(&reading, &state).await?;
        Ok(StateIds { state, auth_chain: servable_ids(&reading, &auth_chain).await? })
    }

    /// The state before an event (`GET /state/{roomId}`).
    pub async fn serve_state(
        &self,
        to: &ServerName,
        room: &RoomId,
        event: &EventId,
    ) -> Result<ServedState, ServeError> {
        let reading = self.shared_with(to, room).await?;
        let before = state_before(&reading, event).await?;
        self.state_with_chain(&reading, before).await
    }

    /// The auth chain of an event (`GET /event_auth/{roomId}/{eventId}`).
    pub async fn serve_event_auth(
        &self,
        to: &ServerName,
        room: &RoomId,
        event: &EventId,
    ) -> Result<Vec<Arc<RoomEvent>>, ServeError> {
        let reading = self.shared_with(to, room).await?;
        let event = servable(&reading, event).await?;
        let cited = reading.events_by_id(event.pdu.auth_events()).await?;
        let cited: Vec<EventNumber> = cited.into_iter().flatten().map(|event| event.number).collect();
        let mut chain = self.chain(&reading, &cited, MAX_EVENTS).await?;
        chain.retain(|event| !cited.contains(event));
        chain.extend(cited);
        servable_events(&reading, &chain).await
    }

    /// A state with the auth chain of all its events.
    pub(super) async fn state_with_chain(
        &self,
        reading: &RoomReading,
        root: Root,
    ) -> Result<ServedState, ServeError> {
        // The semaphore is never closed; were it, the answer would merely not be counted.
        let place = Arc::clone(self.whole_states()).acquire_owned().await.ok();
        let Numbers { state, auth_chain } = self.numbers_with_chain(reading, root).await?;
        let state = servable_events(reading, &state).await?;
        let auth_chain = servable_events(reading, &auth_chain).await?;
        Ok(ServedState { state, auth_chain, _place: place })
    }

    async fn numbers_with_chain(&self, reading: &RoomReading, root: Root) -> Result<Numbers, ServeError> {
        let (tree, grove) = (&self.core().state.tree, reading.view().grove());
        let mut state = Vec::new();
        let mut after = None;
        loop {
            let page =
                tree.scan(reading.snapshot(), grove, root, after, PAGE).await.map_err(StoreFault::from)?;
            let Some(last) = page.last() else { break };
            after = Some(last.key);
            state.extend(page.iter().map(|entry| entry.event));
            if state.len() > MAX_EVENTS {
                return Err(ServeError::TooLarge);
            }
        }
        let auth_chain = self.chain(reading, &state, MAX_EVENTS - state.len()).await?;
        Ok(Numbers { state, auth_chain })
    }

    /// The auth chains of some events.
    async fn chain(
        &self,
        reading: &RoomReading,
        numbers: &[EventNumber],
        limit: usize,
    ) -> Result<Vec<EventNumber>, ServeError> {
        let mut walk = self.core().state.chains.walk(reading.view().number);
        walk.start_from(numbers);
        let mut chain = Vec::new();
        loop {
            let page = walk.next_page(PAGE).await.map_err(StoreFault::from)?;
            if page.is_empty() {
                return Ok(chain);
            }
            chain.extend(page);
            if chain.len() > limit {
                return Err(ServeError::TooLarge);
            }
        }
    }
}

/// The state before an event that may be handed out; that before an outlier is not known.
async fn state_before(reading: &RoomReading, event: &EventId) -> Result<Root, ServeError> {
    servable(reading, event).await?.facts.before.ok_or(ServeError::NoEvent)
}

/// Events by number, without rejected ones.
async fn servable_events(
    reading: &RoomReading,
    numbers: &[EventNumber],
) -> Result<Vec<Arc<RoomEvent>>, ServeError> {
    let mut events = Vec::with_capacity(numbers.len());
    for numbers in numbers.chunks(PAGE) {
        let page = reading.events(numbers).await?.into_iter();
        events.extend(page.filter(|event| event.facts.outcome != Outcome::Rejected));
    }
    Ok(events)
}

/// The ids of these events, of which only the rows are read.
async fn servable_ids(
    reading: &RoomReading,
    numbers: &[EventNumber],
) -> Result<Vec<OwnedEventId>, ServeError> {
    let mut ids = Vec::with_capacity(numbers.len());
    for numbers in numbers.chunks(PAGE) {
        let page = reading.outcomes(numbers).await?.into_iter();
        ids.extend(page.filter(|(_, outcome)| *outcome != Outcome::Rejected).map(|(id, _)| id));
    }
    Ok(ids)
}
