//! States and auth chains (server-server API, "Retrieving event authorization information", "Retrieving a room's state").
//!
//! Owns: who gets which of them. Does not own: reading them ([`super::pages`]).

use plop_state_store::EventNumber;
use plop_state_store::tree::Root;
use ruma::{EventId, RoomId, ServerName};

use super::pages::ServedPages;
use super::{ServeError, servable};
use crate::reading::RoomReading;
use crate::rooms::Rooms;

impl Rooms {
    /// The state before an event with its auth chain, to be read by ids (`GET /state_ids/{roomId}`).
    pub async fn serve_state_ids(
        &self,
        to: &ServerName,
        room: &RoomId,
        event: &EventId,
    ) -> Result<ServedPages, ServeError> {
        let reading = self.shared_with(to, room).await?;
        let before = state_before(&reading, event).await?;
        Ok(ServedPages::of_state(self, &reading, before))
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
        Ok(ServedPages::of_state(self, &reading, before))
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
        Ok(ServedPages::of_chain(self, &reading, cited))
    }
}

/// The state before an event that may be handed out; that before an outlier is not known.
async fn state_before(reading: &RoomReading, event: &EventId) -> Result<Root, ServeError> {
    servable(reading, event).await?.facts.before.ok_or(ServeError::NoEvent)
}
