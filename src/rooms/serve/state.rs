//! States and auth chains.

use std::sync::Arc;

use plop_state_store::EventNumber;
use plop_state_store::tree::Root;
use ruma::{EventId, RoomId, ServerName};

use super::{ServeError, servable};
use crate::event::RoomEvent;
use crate::operation::StoreFault;
use crate::reading::RoomReading;
use crate::remote::StateIds;
use crate::rooms::Rooms;
use crate::schema::Outcome;

/// Entries read at once.
const PAGE: usize = 1_000;

/// A state and its auth chain.
#[derive(Debug, Default)]
pub struct ServedState {
    pub state: Vec<Arc<RoomEvent>>,
    pub auth_chain: Vec<Arc<RoomEvent>>,
}

impl Rooms {
    /// The state before an event, by ids (`GET /state_ids/{roomId}`).
    pub async fn serve_state_ids(
        &self,
        to: &ServerName,
        room: &RoomId,
        event: &EventId,
    ) -> Result<StateIds, ServeError> {
        let served = self.serve_state(to, room, event).await?;
        let ids = |events: Vec<Arc<RoomEvent>>| {
            events.into_iter().map(|event| event.pdu.event_id_owned().clone()).collect()
        };
        Ok(StateIds { state: ids(served.state), auth_chain: ids(served.auth_chain) })
    }

    /// The state before an event (`GET /state/{roomId}`).
    pub async fn serve_state(
        &self,
        to: &ServerName,
        room: &RoomId,
        event: &EventId,
    ) -> Result<ServedState, ServeError> {
        let reading = self.shared_with(to, room).await?;
        // The state before an outlier is not known.
        let before = servable(&reading, event).await?.facts.before.ok_or(ServeError::NoEvent)?;
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
        let mut cited = Vec::new();
        for id in event.pdu.auth_events() {
            cited.extend(reading.event_by_id(id).await?.map(|event| event.number));
        }
        let mut chain = self.chain(&reading, &cited).await?;
        let direct = self.servable_events(&reading, &cited).await?;
        chain.retain(|event| !cited.contains(&event.number));
        chain.extend(direct);
        Ok(chain)
    }

    /// A state with the auth chain of all its events.
    pub(super) async fn state_with_chain(
        &self,
        reading: &RoomReading,
        root: Root,
    ) -> Result<ServedState, ServeError> {
        let (tree, grove) = (&self.core().state.tree, reading.view().grove());
        let mut numbers = Vec::new();
        let mut after = None;
        loop {
            let page =
                tree.scan(reading.snapshot(), grove, root, after, PAGE).await.map_err(StoreFault::from)?;
            let Some(last) = page.last() else { break };
            after = Some(last.key);
            numbers.extend(page.iter().map(|entry| entry.event));
        }
        let auth_chain = self.chain(reading, &numbers).await?;
        Ok(ServedState { state: self.servable_events(reading, &numbers).await?, auth_chain })
    }

    /// The auth chains of some events.
    async fn chain(
        &self,
        reading: &RoomReading,
        numbers: &[EventNumber],
    ) -> Result<Vec<Arc<RoomEvent>>, ServeError> {
        let mut walk = self.core().state.chains.walk(reading.view().number);
        walk.start_from(numbers);
        let mut chain = Vec::new();
        loop {
            let page = walk.next_page(PAGE).await.map_err(StoreFault::from)?;
            if page.is_empty() {
                return Ok(chain);
            }
            chain.extend(self.servable_events(reading, &page).await?);
        }
    }

    /// Events by number, without rejected ones.
    async fn servable_events(
        &self,
        reading: &RoomReading,
        numbers: &[EventNumber],
    ) -> Result<Vec<Arc<RoomEvent>>, ServeError> {
        let mut events = Vec::with_capacity(numbers.len());
        for number in numbers {
            let event = reading.event(*number).await?;
            if event.facts.outcome != Outcome::Rejected {
                events.push(event);
            }
        }
        Ok(events)
    }
}
