//! The events that are sent later, as the parts above see them.
//!
//! Owns: [`Delayed`], the handle that everything hangs its functions on, the [`Limits`], and reading one event. Does not own: any of those functions.
//!
//! Invariants: built once; cheap to clone.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use plop_accounts::Accounts;
use plop_base::buckets::Buckets;
use plop_base::{Clock, Random};
use plop_db::{Db, Guards, ReadError};
use plop_rooms::Rooms;
use tokio::sync::Notify;

use crate::schema::{DelayedEvents, DelayedRow};

/// What an administrator chose.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The longest delay; zero: nothing is scheduled here.
    pub max_delay: Duration,
    /// Events that a user may have scheduled at a time.
    pub max_scheduled: usize,
}

/// Letters and digits of a name: 190 bits, for who knows it may send or cancel the event.
pub(crate) const NAME_LETTERS: usize = 32;
/// No name is longer.
const MAX_NAME_BYTES: usize = 64;

/// All of them.
#[derive(Clone)]
pub struct Delayed(Arc<Parts>);

/// What the functions work with.
pub(crate) struct Parts {
    pub db: Db,
    pub clock: Clock,
    pub random: Random,
    pub rooms: Rooms,
    pub accounts: Accounts,
    pub limits: Limits,
    /// One for each event: whatever is done with it.
    pub events: Guards,
    /// One for each user: how many they have.
    pub users: Guards,
    /// Actions on each event.
    pub actions: Mutex<Buckets<String>>,
    /// Something is due earlier than before.
    pub earlier: Notify,
}

impl Delayed {
    pub fn new(
        db: Db,
        clock: Clock,
        random: Random,
        rooms: Rooms,
        accounts: Accounts,
        limits: Limits,
    ) -> Self {
        let (events, users, actions, earlier) = Default::default();
        Self(Arc::new(Parts { db, clock, random, rooms, accounts, limits, events, users, actions, earlier }))
    }

    /// What an administrator chose.
    pub fn limits(&self) -> Limits {
        self.0.limits
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.0
    }

    /// The row of an event.
    pub(crate) async fn row(&self, id: &str) -> Result<Option<DelayedRow>, ReadError> {
        if id.len() > MAX_NAME_BYTES {
            return Ok(None);
        }
        self.0.db.snapshot().get::<DelayedEvents>(&id.to_owned()).await
    }
}
