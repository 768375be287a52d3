//! What a receipt may be about (client-server API, "Receipts"), and what a thread subscription (MSC4306).
//!
//! Owns: whether a user can have read up to an event, in a thread or not, and where that is in the live stream. Does not own: receipts, subscriptions.
//!
//! Invariants: only a member reads up to somewhere. At most [`MAX_THREAD_HOPS`] relations are followed.

use plop_db::Position;
use plop_state::relation::Relation;
use plop_state_store::EventNumber;
use ruma::{EventId, OwnedEventId};

use super::access::{ReadRefusal, RoomReader, Standing};
use crate::event::RoomEvent;
use crate::fault::StoreFault;
use crate::schema::Arrivals;
use crate::thread::{MAX_THREAD_HOPS, Step, ThreadWalk};

/// What part of a room has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope<'a> {
    /// All of it.
    Room,
    /// What is in no thread.
    Main,
    /// The thread of this root.
    Thread(&'a EventId),
}

/// The last event that has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadUpTo {
    pub event: EventNumber,
    /// When it arrived. History that was fetched later is older than all that arrived.
    pub arrival: Position,
}

/// Why nobody can have read up to there.
#[derive(Debug, thiserror::Error)]
pub enum NotRead {
    #[error(transparent)]
    Refused(#[from] ReadRefusal),
    #[error("the event is not in this thread")]
    NotInThread,
}

impl From<StoreFault> for NotRead {
    fn from(fault: StoreFault) -> Self {
        Self::Refused(fault.into())
    }
}

impl RoomReader<'_> {
    /// An event up to which this user has read.
    pub async fn read_up_to(&mut self, id: &EventId, scope: Scope<'_>) -> Result<ReadUpTo, NotRead> {
        match self.standing() {
            Standing::Joined => {}
            Standing::Departed { .. } | Standing::Stranger => return Err(ReadRefusal::NotInRoom.into()),
        }
        let event = self.event(id).await?;
        let is_in_scope = match scope {
            Scope::Room => true,
            // What only relates to an event of a thread is taken too: a client need not know that.
            Scope::Main => !Relation::of(&event.pdu).is_some_and(|relation| relation.is_thread()),
            Scope::Thread(root) => self.belongs_to(id, root).await?,
        };
        if !is_in_scope {
            return Err(NotRead::NotInThread);
        }
        let arrival = self.snapshot.get::<Arrivals>(&(self.view.number, event.number)).await;
        let arrival = arrival.map_err(StoreFault::from)?.unwrap_or(Position::START);
        Ok(ReadUpTo { event: event.number, arrival })
    }

    /// When an event of a thread arrived, where the user may see it: history that was fetched later is older than all that arrived. `None`: it is not
    /// in the thread; its root is not either, nor is what relates to the root in another way.
    pub async fn arrival_in_thread(
        &mut self,
        id: &EventId,
        root: &EventId,
    ) -> Result<Option<Position>, ReadRefusal> {
        let event = match self.event(id).await {
            Err(ReadRefusal::NoSuchEvent) => return Ok(None),
            other => other?,
        };
        if self.thread_of(&event).await?.is_none_or(|thread| thread != root) {
            return Ok(None);
        }
        let arrival = self.snapshot.get::<Arrivals>(&(self.view.number, event.number)).await?;
        Ok(Some(arrival.unwrap_or(Position::START)))
    }

    /// The thread that an event is in.
    async fn thread_of(&self, event: &RoomEvent) -> Result<Option<OwnedEventId>, StoreFault> {
        let mut walk = ThreadWalk::default();
        let mut step = walk.step(&event.pdu);
        loop {
            let parent = match step {
                Step::Found(thread) => return Ok(thread),
                Step::Parent(parent) => parent,
            };
            let number = self.core.events.number(&self.snapshot, self.view.number, &parent).await?;
            let Some(number) = number else { return Ok(None) };
            step = walk.step(&self.event_by_number(number).await?.pdu);
        }
    }

    /// Whether an event is the root of a thread, in the thread, or relates to one that is.
    async fn belongs_to(&mut self, event: &EventId, root: &EventId) -> Result<bool, StoreFault> {
        let mut id = event.to_owned();
        for _ in 0..=MAX_THREAD_HOPS {
            if id == root {
                return Ok(true);
            }
            let number = self.core.events.number(&self.snapshot, self.view.number, &id).await?;
            let Some(number) = number else { return Ok(false) };
            let event = self.event_by_number(number).await?;
            match Relation::of(&event.pdu) {
                Some(relation) if !relation.is_thread() || relation.event == root => id = relation.event,
                _ => return Ok(false),
            }
        }
        Ok(false)
    }
}
