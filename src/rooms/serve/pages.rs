//! A state and an auth chain, read while they are given.
//!
//! Owns: [`ServedPages`]. Does not own: who may have it ([`super::state`]), its shape on the wire.
//!
//! Invariants: of the room no more is in memory than one page of at most [`PAGE`] events, and the numbers of those that the walk has met. Each page reads
//! a snapshot of its own, and one with events takes one of [`PAGES_AT_ONCE`](crate::rooms::PAGES_AT_ONCE) places while it is read and no longer, so an answer
//! that is taken slowly holds up nothing. Any ends with [`ServeError::TooLarge`] beyond [`MAX_EVENTS`].

use std::collections::VecDeque;
use std::sync::Arc;

use plop_db::Snapshot;
use plop_state::Rules;
use plop_state_store::chains::ChainWalk;
use plop_state_store::tree::Root;
use plop_state_store::{EventNumber, Grove, KeyHash};
use ruma::OwnedEventId;
use tokio::sync::Semaphore;

use super::ServeError;
use crate::event::RoomEvent;
use crate::event_store::EventReadError;
use crate::fault::StoreFault;
use crate::parts::Core;
use crate::reading::RoomReading;
use crate::rooms::Rooms;
use crate::schema::{Events, Outcome};

/// Events in one page. An event is at most 64 KiB.
const PAGE: usize = 200;

/// Events of a state with its auth chain in one answer. The largest rooms have some 200,000.
const MAX_EVENTS: usize = 500_000;

/// Which part of an answer a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    State,
    AuthChain,
}

/// A state and then its auth chain, or the auth chain of an event, page by page, without rejected events.
pub struct ServedPages {
    core: Arc<Core>,
    places: Arc<Semaphore>,
    grove: Grove,
    rules: &'static Rules,
    /// The entries of a state behind this one, until it has been read.
    state: Option<(Root, Option<KeyHash>)>,
    /// Events of the auth chain from which the walk begins. They come first in it.
    cited: Vec<EventNumber>,
    walk: ChainWalk,
    /// Events of the auth chain that were met and not given yet: a step of the walk meets more than a page has.
    met: VecDeque<EventNumber>,
    given: usize,
}

impl ServedPages {
    /// A state of the room, and the auth chains of all its events.
    pub(super) fn of_state(rooms: &Rooms, reading: &RoomReading, root: Root) -> Self {
        Self { state: Some((root, None)), ..Self::of_chain(rooms, reading, Vec::new()) }
    }

    /// Events of the room, and their auth chains.
    pub(super) fn of_chain(rooms: &Rooms, reading: &RoomReading, cited: Vec<EventNumber>) -> Self {
        let (core, view) = (rooms.shared_core(), reading.view());
        let mut walk = core.state.chains.walk(view.number);
        walk.start_from(&cited);
        Self {
            core: Arc::clone(core),
            places: Arc::clone(rooms.served_pages()),
            grove: view.grove(),
            rules: view.rules,
            state: None,
            met: cited.iter().copied().collect(),
            cited,
            walk,
            given: 0,
        }
    }

    /// The next events, those of the state first; `None` at the end. A page may be empty. Waits while too many others are reading theirs.
    ///
    /// # Errors
    /// [`ServeError::TooLarge`] where there is more than one answer may have: what was given is not the whole.
    pub async fn events(&mut self) -> Result<Option<(Part, Vec<Arc<RoomEvent>>)>, ServeError> {
        // The semaphore is never closed; were it, the page would merely not be counted.
        let _place = Arc::clone(&self.places).acquire_owned().await.ok();
        let snapshot = self.core.db.snapshot();
        let Some((part, numbers)) = self.next(&snapshot).await? else { return Ok(None) };
        let room = self.grove.room;
        let mut events = self.core.events.get_many(&snapshot, room, self.rules, &numbers).await?;
        events.retain(|event| event.facts.outcome != Outcome::Rejected);
        Ok(Some((part, events)))
    }

    /// The ids of the next events. The events are not parsed for it, and not taken into the cache: it costs little and takes
    /// no place.
    ///
    /// # Errors
    /// As [`ServedPages::events`].
    pub async fn ids(&mut self) -> Result<Option<(Part, Vec<OwnedEventId>)>, ServeError> {
        let snapshot = self.core.db.snapshot();
        let Some((part, numbers)) = self.next(&snapshot).await? else { return Ok(None) };
        let keys: Vec<_> = numbers.iter().map(|number| (self.grove.room, *number)).collect();
        let rows = snapshot.get_many::<Events>(&keys).await?;
        let mut ids = Vec::with_capacity(rows.len());
        for (number, row) in numbers.into_iter().zip(rows) {
            let row = row.ok_or(EventReadError::Dangling(number))?;
            if row.facts.outcome != Outcome::Rejected {
                ids.push(row.event_id);
            }
        }
        Ok(Some((part, ids)))
    }

    async fn next(&mut self, snapshot: &Snapshot) -> Result<Option<(Part, Vec<EventNumber>)>, ServeError> {
        let page = match self.next_of_state(snapshot).await? {
            Some(page) => Some((Part::State, page)),
            None => self.next_of_chain().await?.map(|page| (Part::AuthChain, page)),
        };
        self.given += page.as_ref().map_or(0, |(_, page)| page.len());
        if self.given > MAX_EVENTS {
            return Err(ServeError::TooLarge);
        }
        Ok(page)
    }

    async fn next_of_state(&mut self, snapshot: &Snapshot) -> Result<Option<Vec<EventNumber>>, StoreFault> {
        let Some((root, after)) = self.state else { return Ok(None) };
        let tree = &self.core.state.tree;
        let entries = tree.scan(snapshot, self.grove, root, after, PAGE).await?;
        self.state = entries.last().map(|last| (root, Some(last.key)));
        let page: Vec<EventNumber> = entries.iter().map(|entry| entry.event).collect();
        self.walk.start_from(&page);
        Ok(Some(page).filter(|page| !page.is_empty()))
    }

    async fn next_of_chain(&mut self) -> Result<Option<Vec<EventNumber>>, StoreFault> {
        if self.met.is_empty() {
            let met = self.walk.next_page(PAGE).await?;
            if met.is_empty() {
                return Ok(None);
            }
            self.met.extend(met.into_iter().filter(|event| !self.cited.contains(event)));
        }
        let size = self.met.len().min(PAGE);
        Ok(Some(self.met.drain(..size).collect()))
    }
}
