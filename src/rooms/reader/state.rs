//! The state of a room, for one user (client-server API, `GET /rooms/{roomId}/state`).
//!
//! Owns: which state a user gets: of now, of when they left, of a place in history; single entries and pages of it. Does not own: member
//! lists ([`super::members`]).
//!
//! Invariants: one who left gets nothing newer than that. A whole state is never in memory.

use std::collections::BTreeSet;
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
use crate::view::RoomView;

/// Events of a state that are loaded at once.
const PAGE: usize = 200;

/// A state, page by page, in no particular order.
#[derive(Debug)]
pub struct StatePages {
    state: Root,
    after: Option<KeyHash>,
    ended: bool,
    /// Without member events; these are some of them, which need not be loaded to be known as such.
    without: Option<BTreeSet<EventNumber>>,
}

impl StatePages {
    /// All of a state of the reader's room.
    pub fn of(state: Root) -> Self {
        Self { state, after: None, ended: false, without: None }
    }

    /// A state without its member events, for those who load them as they need them. In a large room most of a state are these.
    pub fn without_members(state: Root, view: &RoomView) -> Self {
        let members = view.members.iter().map(|(_, member)| member.event).collect();
        Self { without: Some(members), ..Self::of(state) }
    }

    /// The next events (a page may be empty); `None` at the end.
    pub async fn next(&mut self, reader: &RoomReader<'_>) -> Result<Option<Vec<Arc<RoomEvent>>>, StoreFault> {
        if self.ended {
            return Ok(None);
        }
        let (tree, grove) = (&reader.core.state.tree, reader.view.grove());
        let entries = tree.scan(&reader.snapshot, grove, self.state, self.after, PAGE).await?;
        let Some(last) = entries.last() else {
            self.ended = true;
            return Ok(None);
        };
        self.after = Some(last.key);
        let is_kept =
            |event: &EventNumber| self.without.as_ref().is_none_or(|members| !members.contains(event));
        let numbers: Vec<EventNumber> = entries.iter().map(|entry| entry.event).filter(is_kept).collect();
        let mut events = reader.events_by_number(&numbers).await?;
        if self.without.is_some() {
            events.retain(|event| event.pdu.type_name() != "m.room.member");
        }
        Ok(Some(events))
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
    pub async fn state_at(&mut self, place: HistoryToken) -> Result<Root, ReadRefusal> {
        let in_reach = self.state_in_reach()?;
        let end = self.top().await?;
        if place.rank() >= end {
            return Ok(in_reach);
        }
        let room = self.view.number;
        let below = KeyRange::<History>::prefix(&room).before(&(room, place.rank()));
        let last = self.snapshot.scan(below, Direction::Backward, 1).await?;
        let (_, number) = last.rows.first().ok_or(ReadRefusal::NotInRoom)?;
        let event = self.event_by_number(*number).await?;
        let seen = self.sees(&event).await?;
        event.state_after().filter(|_| seen).ok_or(ReadRefusal::NotInRoom)
    }
}
