//! One event, and what stands around it (client-server API, `GET /rooms/{roomId}/event/{eventId}` and `/context/{eventId}`).
//!
//! Owns: looking an event up for a user, the pages before and after it. Does not own: paging ([`super::history`]).
//!
//! Invariants: an event that the user may not see, one of another room and one that does not exist are refused alike.

use std::sync::Arc;

use plop_base::Actor;
use plop_db::Direction;
use plop_state_store::tree::Root;
use ruma::{EventId, RoomId};

use super::access::{ReadRefusal, RoomReader};
use super::history::{HistoryPage, MAX_PAGE_EVENTS, PageRequest};
use super::token::HistoryToken;
use crate::event::RoomEvent;
use crate::fault::StoreFault;
use crate::rooms::Rooms;

/// An event and its surroundings.
#[derive(Debug, Clone)]
pub struct Context {
    pub event: Arc<RoomEvent>,
    /// Newest first; where it ends is where to read on backwards.
    pub before: HistoryPage,
    /// Oldest first; where it ends is where to read on forwards.
    pub after: HistoryPage,
    /// The state after the last of these events.
    pub state: Root,
}

impl Rooms {
    /// A reader of a room together with one event that the user may see.
    ///
    /// # Errors
    /// [`ReadRefusal::NoSuchEvent`], also where the room is not here.
    pub async fn reader_of_event<'a>(
        &'a self,
        actor: &'a Actor,
        room: &RoomId,
        event: &EventId,
    ) -> Result<(RoomReader<'a>, Arc<RoomEvent>), ReadRefusal> {
        let mut reader = match self.reader(actor, room).await {
            Err(ReadRefusal::NotInRoom) => return Err(ReadRefusal::NoSuchEvent),
            other => other?,
        };
        let event = reader.event(event).await?;
        Ok((reader, event))
    }
}

impl RoomReader<'_> {
    /// An event of this room.
    ///
    /// # Errors
    /// [`ReadRefusal::NoSuchEvent`].
    pub async fn event(&mut self, id: &EventId) -> Result<Arc<RoomEvent>, ReadRefusal> {
        let number = self.core.events.number(&self.snapshot, self.view.number, id).await?;
        let event = self.event_by_number(number.ok_or(ReadRefusal::NoSuchEvent)?).await?;
        if self.sees(&event).await? { Ok(event) } else { Err(ReadRefusal::NoSuchEvent) }
    }

    /// What stands around an event that the user may see: at most `limit` events besides it, half of them before it.
    pub async fn context(
        &mut self,
        event: Arc<RoomEvent>,
        limit: u64,
        wanted: impl Fn(&RoomEvent) -> bool,
    ) -> Result<Context, StoreFault> {
        let limit = limit.min(MAX_PAGE_EVENTS as u64);
        self.around(event, (limit / 2, limit - limit / 2), wanted).await
    }

    /// What stands around an event that the user may see: at most so many events before it, and after it.
    pub async fn around(
        &mut self,
        event: Arc<RoomEvent>,
        (before, after): (u64, u64),
        wanted: impl Fn(&RoomEvent) -> bool,
    ) -> Result<Context, StoreFault> {
        // An event that is seen is in the graph and has a place.
        let (below, above) = match event.facts.place {
            Some(place) => (HistoryToken::below(place), HistoryToken::above(place)),
            None => return Err(crate::event_store::EventReadError::Dangling(event.number).into()),
        };
        let page = |from, direction, limit| PageRequest { from: Some(from), to: None, direction, limit };
        let before = self.page(page(below, Direction::Backward, before), &wanted).await?;
        let after = self.page(page(above, Direction::Forward, after), &wanted).await?;
        let last = after.events.last().unwrap_or(&event);
        let state = last.state_after().unwrap_or(Root::EMPTY);
        Ok(Context { event, before, after, state })
    }
}
