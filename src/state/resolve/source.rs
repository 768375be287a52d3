//! Where events come from, and how a resolution says that it needs more of them.

use std::{cell::RefCell, collections::BTreeSet};

use ruma::{EventId, OwnedEventId};

use crate::{pdu::Pdu, state_key::StateKey};

/// An event that this server has judged.
#[derive(Clone, Debug)]
pub struct Known {
    pub event: Pdu,
    /// Whether the checks on receipt of a PDU rejected it.
    pub rejected: bool,
}

/// The answer of a [`Source`].
#[derive(Clone, Debug)]
pub enum Lookup<T> {
    Found(T),
    /// Looked for, and not there: final.
    Absent,
    /// Not looked for yet.
    NotLoaded,
}

/// What a resolution reads. Answers come from memory; an answer never changes during one call, nor
/// between the calls of one resolution other than from [`Lookup::NotLoaded`].
pub trait Source {
    /// An event of the room by its id, whether or not it is in a state.
    fn event(&self, id: &EventId) -> Lookup<Known>;

    /// The event that every state has for `key`. Asked only for keys outside the conflict;
    /// `Absent` where no state has one.
    fn unconflicted(&self, key: &StateKey) -> Lookup<Known>;
}

/// What has to be loaded before the resolution can go on: all that could be foreseen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// Answers of [`Source::event`].
    pub events: BTreeSet<OwnedEventId>,
    /// Answers of [`Source::unconflicted`].
    pub keys: BTreeSet<StateKey>,
    /// Power levels events (loaded ones) whose chain the walk follows down, and whose auth events
    /// are among `events`. A caller that loads some more links of these chains, twice as many in
    /// each round, saves a round for each of them.
    pub chains: BTreeSet<OwnedEventId>,
}

/// Why there is no resolution.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    #[error("{} events and {} state keys have to be loaded", .0.events.len(), .0.keys.len())]
    Missing(Missing),
    /// An event that the resolution depends on does not exist in the store. Leaving it out could
    /// give another state than other servers have, so there is no result.
    #[error("event {0} is needed and not known")]
    Absent(OwnedEventId),
}

/// Reads a source and keeps what was missing, so that one pass can gather all of it: a reading
/// function goes on without what it lacks, and whoever uses the outcome calls
/// [`Reader::complete`] before.
pub(super) struct Reader<'a, S> {
    source: &'a S,
    missing: RefCell<Missing>,
    absent: RefCell<Option<OwnedEventId>>,
}

impl<'a, S: Source> Reader<'a, S> {
    pub(super) fn new(source: &'a S) -> Self {
        Self { source, missing: RefCell::default(), absent: RefCell::default() }
    }

    /// The event, or `None` with a note that the pass is incomplete.
    pub(super) fn event(&self, id: &EventId) -> Option<Known> {
        match self.source.event(id) {
            Lookup::Found(known) => return Some(known),
            Lookup::NotLoaded => {
                self.missing.borrow_mut().events.insert(id.to_owned());
            }
            Lookup::Absent => {
                // The smallest id, so that the error does not depend on the order of reading.
                let mut absent = self.absent.borrow_mut();
                if absent.as_deref().is_none_or(|named| id < named) {
                    *absent = Some(id.to_owned());
                }
            }
        }
        None
    }

    /// The unconflicted event of `key`; `None` also where no state has one.
    pub(super) fn unconflicted(&self, key: &StateKey) -> Option<Known> {
        match self.source.unconflicted(key) {
            Lookup::Found(known) => return Some(known),
            Lookup::NotLoaded => {
                self.missing.borrow_mut().keys.insert(key.clone());
            }
            Lookup::Absent => {}
        }
        None
    }

    /// Notes that the chain of power levels behind `id` is walked further than it is loaded.
    pub(super) fn walks_on(&self, id: &EventId) {
        self.missing.borrow_mut().chains.insert(id.to_owned());
    }

    /// Ends a pass: all that it read was there.
    pub(super) fn complete(&self) -> Result<(), Unresolved> {
        if let Some(id) = self.absent.borrow().clone() {
            return Err(Unresolved::Absent(id));
        }
        let missing = self.missing.borrow();
        if missing.events.is_empty() && missing.keys.is_empty() {
            Ok(())
        } else {
            Err(Unresolved::Missing(missing.clone()))
        }
    }
}
