//! States and auth chains (server-server API, "Retrieving event authorization information", "Retrieving a room's state").
//!
//! Owns: who gets which of them. Does not own: reading them ([`super::pages`]).

use std::sync::Arc;

use plop_state_store::EventNumber;
use plop_state_store::tree::Root;
use ruma::{EventId, RoomId, ServerName};
use tokio::sync::OwnedSemaphorePermit;

use super::pages::ServedPages;
use super::{ServeError, servable};
use crate::reading::RoomReading;
use crate::rooms::Rooms;

impl Rooms {
    /// The state before an event with its auth chain, to be read by ids (`GET /state_ids/{roomId}`). It costs little, so it takes no place.
    pub async fn serve_state_ids(
        &self,
        to: &ServerName,
        room: &RoomId,
        event: &EventId,
    ) -> Result<ServedPages, ServeError> {
        let reading = self.shared_with(to, room).await?;
        let before = state_before(&reading, event).await?;
        Ok(ServedPages::of_state(self.shared_core(), &reading, before, None))
    }

    /// The state before an event with its auth chain (`GET /state/{roomId}`).
    pub async fn serve_state(
        &self,
        to: &ServerName,
        room: &RoomId,
        event: &EventId,
    ) -> Result<ServedPages, ServeError> {
        let reading = self.shared_with(to, room).await?;
        let before = state_before(&reading, event).await?;
        Ok(self.state_with_chain(&reading, before).await)
    }

    /// The auth chain of an event (`GET /event_auth/{roomId}/{eventId}`).
    pub async fn serve_event_auth(
        &self,
        to: &ServerName,
        room: &RoomId,
        event: &EventId,
    ) -> Result<ServedPages, ServeError> {
        let reading = self.shared_with(to, room).await?;
        let event = servable(&reading, event).await?;
        let cited = reading.events_by_id(event.pdu.auth_events()).await?;
        let cited: Vec<EventNumber> = cited.into_iter().flatten().map(|event| event.number).collect();
        let place = self.place_for_state().await;
        Ok(ServedPages::of_chain(self.shared_core(), &reading, cited, place))
    }

    /// A state with the auth chain of all its events.
    pub(super) async fn state_with_chain(&self, reading: &RoomReading, root: Root) -> ServedPages {
        let place = self.place_for_state().await;
        ServedPages::of_state(self.shared_core(), reading, root, place)
    }

    async fn place_for_state(&self) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed; were it, the answer would merely not be counted.
        Arc::clone(self.whole_states()).acquire_owned().await.ok()
    }
}

/// The state before an event that may be handed out; that before an outlier is not known.
async fn state_before(reading: &RoomReading, event: &EventId) -> Result<Root, ServeError> {
    servable(reading, event).await?.facts.before.ok_or(ServeError::NoEvent)
}
