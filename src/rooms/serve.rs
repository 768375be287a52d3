//! What other servers may ask of our rooms.
//!
//! Owns: the answers (server-server API): single events, missing events and history ([`history`]), states and auth chains ([`state`]), joins
//! of their users ([`join`]). Does not own: requests, their authentication, shapes on the wire.
//!
//! Invariants: only a server that takes part in a room is told about it, only what belongs to that room, and never a rejected event. What
//! its users may not see of the room's history it gets redacted ([`crate::reader::server`]). Nothing is told that is not on disk, and no
//! answer waits for the room's guard. How many events are walked through does not follow what was asked for. A state and its auth chain are
//! given page by page ([`pages`]), up to a limit.

mod history;
mod join;
mod pages;
mod state;

use std::sync::Arc;

use plop_db::ReadError;
use ruma::{EventId, RoomId, ServerName};

pub use join::{ServeJoinError, ServedJoin};
pub use pages::{Part, ServedPages};

use crate::event::RoomEvent;
use crate::event_store::EventReadError;
use crate::fault::StoreFault;
use crate::loading::LoadError;
use crate::reader::server::ServerReader;
use crate::reading::RoomReading;
use crate::rooms::Rooms;
use crate::schema::Outcome;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The room is not here, or the server is not in it: the same answer, so that nobody learns which.
    #[error("the server is not in such a room")]
    NotInRoom,
    /// The event is not here, was rejected, or belongs to another room.
    #[error("there is no such event in the room")]
    NoEvent,
    /// A state or an auth chain with more events than are given in one answer. Its beginning may have been given already.
    #[error("the state is too large to be given")]
    TooLarge,
    #[error(transparent)]
    Load(LoadError),
}

impl From<LoadError> for ServeError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::NotHere => Self::NotInRoom,
            error => Self::Load(error),
        }
    }
}

impl From<StoreFault> for ServeError {
    fn from(fault: StoreFault) -> Self {
        Self::Load(fault.into())
    }
}

impl From<ReadError> for ServeError {
    fn from(error: ReadError) -> Self {
        Self::Load(error.into())
    }
}

impl From<EventReadError> for ServeError {
    fn from(error: EventReadError) -> Self {
        Self::Load(error.into())
    }
}

impl Rooms {
    /// One event of a room (`GET /event/{eventId}`).
    pub async fn serve_event(
        &self,
        to: &ServerName,
        room: &RoomId,
        event: &EventId,
    ) -> Result<Arc<RoomEvent>, ServeError> {
        let reading = self.shared_with(to, room).await?;
        let event = servable(&reading, event).await?;
        Ok(ServerReader::new(&reading, to).shown(event).await?)
    }

    /// The room, if the server takes part in it.
    async fn shared_with(&self, to: &ServerName, room: &RoomId) -> Result<RoomReading, ServeError> {
        let view = self.view_by_id(room).await?;
        if !view.members.has_server(to) {
            return Err(ServeError::NotInRoom);
        }
        Ok(self.landed(view.number).await?)
    }
}

/// An event that may be handed out.
async fn servable(reading: &RoomReading, event: &EventId) -> Result<Arc<RoomEvent>, ServeError> {
    let event = reading.event_by_id(event).await?;
    event.filter(|event| event.facts.outcome != Outcome::Rejected).ok_or(ServeError::NoEvent)
}
