//! The handle: what the operations of this crate work with.
//!
//! Owns: the parts, opening them. Does not own: any operation; other files of this crate add their own.

use std::sync::Arc;

use arc_swap::ArcSwap;
use plop_base::Clock;
use plop_base::blocking::{BlockingPool, PoolEnded};
use plop_rooms::Rooms;
use tokio::sync::Mutex;

use crate::folder::Place;
use crate::index::{IndexError, StoredIndex};
use crate::indexer::Indexer;
use crate::language::Language;

/// Searches at once: each keeps a thread while it looks through the index.
const SEARCHES_AT_ONCE: usize = 2;

/// What an administrator chose.
#[derive(Debug, Clone)]
pub struct SearchParameters {
    pub place: Place,
    pub language: Language,
}

/// Search in the events of one server. Cheap to clone.
#[derive(Clone)]
pub struct Search(Arc<Parts>);

pub(crate) struct Parts {
    pub rooms: Rooms,
    pub clock: Clock,
    pub language: Language,
    /// Replaced when it has to be opened anew.
    pub index: ArcSwap<StoredIndex>,
    /// For looking.
    pub searches: BlockingPool,
    /// For writing: one thread.
    pub writing: BlockingPool,
    pub indexer: Arc<Mutex<Indexer>>,
}

impl Search {
    /// Opens the index of the rooms' database, or makes it. What is missing in it comes while [`Search::run`] runs.
    pub async fn open(rooms: Rooms, clock: Clock, parameters: SearchParameters) -> Result<Self, IndexError> {
        let writing = BlockingPool::new(1);
        let SearchParameters { place, language } = parameters;
        // Before the look at how far the streams go: what is published in between is in both.
        let publications = rooms.db().subscribe();
        let (stamp, published) =
            (StoredIndex::stamp(language, rooms.db().identity()), rooms.db().published());
        let opened = writing.run(move || StoredIndex::open(&place, language, &stamp, published)).await;
        let (index, progress) = opened??;
        let indexer = Indexer::new(progress, publications, published);
        Ok(Self(Arc::new(Parts {
            rooms,
            clock,
            language,
            index: ArcSwap::from_pointee(index),
            searches: BlockingPool::new(SEARCHES_AT_ONCE),
            writing,
            indexer: Arc::new(Mutex::new(indexer)),
        })))
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.0
    }

    /// How many events are in the index.
    pub fn events(&self) -> u64 {
        self.0.index.load().documents()
    }
}

impl From<PoolEnded> for IndexError {
    fn from(_: PoolEnded) -> Self {
        Self::Stopping
    }
}
