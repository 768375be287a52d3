//! The state of a room, for one user (client-server API, `GET /rooms/{roomId}/state`).
//!
//! Owns: which state a user gets: of now, of when they left, of a place in history; single entries and pages of it. Does not own: member
//! lists ([`super::members`]), telling members from the rest ([`super::without_members`]).
//!
//! Invariants: one who left gets nothing newer than that. A whole state is never in memory.

use std::collections::VecDeque;
use std::sync::Arc;

use plop_db::{Direction, KeyRange};
use plop_state::StateKey;
use plop_state_store::tree::Root;
use plop_state_store::{EventNumber, KeyHash};

use super::access::{ReadRefusal, RoomReader, Standing};
use super::token::HistoryToken;
use crate::event::RoomEvent;
use crate::fault::StoreFault;
use crate::schema::History;

/// Events of a state that are loaded at once.
const PAGE: usize = 200;

/// Events of a state, page by page, in no particular order.
#[derive(Debug)]
pub struct StatePages(Rest);

/// What has not been read.
#[derive(Debug)]
enum Rest {
    /// The entries of a state behind this one.
    Behind {
        state: Root,
        last: Option<KeyHash>,
    },
    Listed(VecDeque<EventNumber>),
}

impl StatePages {
    /// All of a state of the reader's room.
    pub fn of(state: Root) -> Self {
        Self(Rest::Behind { state, last: None })
    }

    /// Some events of the room: those of a state that are no members ([`RoomReader::without_members`]), say.
    pub fn listed(events: Vec<EventNumber>) -> Self {
        Self(Rest::Listed(events.into()))
    }

    /// The next events; `None` at the end.
    pub async fn next(&mut self, reader: &RoomReader<'_>) -> Result<Option<Vec<Arc<RoomEvent>>>, StoreFault> {
        let numbers: Vec<EventNumber> = match &mut self.0 {
            Rest::Behind { state, last } => {
                let (tree, grove) = (&reader.core.state.tree, reader.view.grove());
                let entries = tree.scan(&reader.snapshot, grove, *state, *last, PAGE).await?;
                *last = entries.last().map_or(*last, |entry| Some(entry.key));
                entries.iter().map(|entry| entry.event).collect()
            }
            Rest::Listed(events) => events.drain(..events.len().min(PAGE)).collect(),
        };
        if numbers.is_empty() {
            return Ok(None);
        }
        Ok(Some(reader.events_by_number(&numbers).await?))
    }
}

impl RoomReader<'_> {
    /// The newest state that this user may look at.
    ///
    /// # Errors
    /// [`ReadRefusal::NotInRoom`].
    pub fn state_in_reach(&self) -> Result<Root, ReadRefusal> {
        self.admitted()?;
        Ok(match self.standing() {
            Standing::Joined | Standing::Stranger => self.view.root,
            Standing::Departed { state, .. } => state,
        })
    }

    /// One entry of that state.
    pub async fn state_event(&self, key: &StateKey) -> Result<Option<Arc<RoomEvent>>, ReadRefusal> {
        let state = self.state_in_reach()?;
        if state == self.view.root
            && let Some(event) = self.view.kept(key)
        {
            return Ok(Some(Arc::clone(event)));
        }
        Ok(self.state_event_at(state, key).await?)
    }

    /// Some entries of a state, those that are there: what a timeline page needs of its members, say.
    pub async fn state_events(
        &self,
        state: Root,
        keys: &[StateKey],
    ) -> Result<Vec<Arc<RoomEvent>>, StoreFault> {
        let (tree, grove) = (&self.core.state.tree, self.view.grove());
        let numbers = tree.get_many(&self.snapshot, grove, state, keys).await?;
        let numbers: Vec<EventNumber> = numbers.into_iter().flatten().collect();
        Ok(self.events_by_number(&numbers).await?)
    }

    /// The state at a place in history: after the last event below it.
    ///
    /// # Errors
    /// [`ReadRefusal::NotInRoom`] also where the user may not see that event.
    pub async fn state_at(&mut self, token: HistoryToken) -> Result<Root, ReadRefusal> {
        let in_reach = self.state_in_reach()?;
        let end = self.top().await?;
        if token.place() >= end {
            return Ok(in_reach);
        }
        let room = self.view.number;
        let below = KeyRange::<History>::prefix(&room).before(&(room, token.place()));
        let last = self.snapshot.scan(below, Direction::Backward, 1).await?;
        let event = match last.rows.first() {
            Some((_, number)) => self.event_by_number(*number).await?,
            None => self.first_with_members().await?,
        };
        let seen = self.sees(&event).await?;
        event.state_after().filter(|_| seen).ok_or(ReadRefusal::NotInRoom)
    }

    /// The event with which a room begins to have members: behind it stands who gives the place in front of all history, which is the
    /// `prev_batch` of a timeline that has all of it.
    async fn first_with_members(&mut self) -> Result<Arc<RoomEvent>, ReadRefusal> {
        let history = KeyRange::<History>::prefix(&self.view.number);
        let first = self.snapshot.scan(history, Direction::Forward, 2).await?;
        let numbers: Vec<EventNumber> = first.rows.into_iter().map(|(_, number)| number).collect();
        let mut events = self.events_by_number(&numbers).await?.into_iter();
        let first = events.next().ok_or(ReadRefusal::NotInRoom)?;
        let is_alone = first.pdu.type_name() != "m.room.create";
        Ok(events.next().filter(|_| !is_alone).unwrap_or(first))
    }
}
