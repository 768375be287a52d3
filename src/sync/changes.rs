//! What changed last when, in memory.
//!
//! Owns: [`ChangeLog`], the last change of each subject of a stream; [`Logs`], those of the streams that sync reads, and [`Changes`], fed by what the store
//! publishes. Does not own: what the changes are, who waits for them.
//!
//! Invariants: whoever looks catches up first, so a log has every write that was acknowledged before. A subject has one entry, moved to its newest
//! position; at most `capacity` subjects are remembered. A question about what is forgotten, or was before this process, is answered "perhaps".

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plop_accounts::schema::AccountDataChanges;
use plop_db::{Db, Notice, Position, Publication};
use plop_ephemeral::schema::{PrivateReceiptChanges, ReceiptChanges};
use plop_rooms::schema::{Timeline, UserRooms};
use plop_state_store::RoomNumber;
use ruma::{OwnedServerName, OwnedUserId};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;

/// Rooms of a stream that are remembered.
const MAX_ROOMS: usize = 100_000;
/// Users of a stream that are remembered.
const MAX_USERS: usize = 100_000;

/// The last change of each subject.
pub struct ChangeLog<K> {
    /// Changes at or below it may be unknown.
    floor: Position,
    capacity: usize,
    places: BTreeMap<K, Position>,
    order: BTreeSet<(Position, K)>,
}

impl<K: Ord + Clone> ChangeLog<K> {
    fn new(floor: Position, capacity: usize) -> Self {
        Self { floor, capacity, places: BTreeMap::new(), order: BTreeSet::new() }
    }

    fn record(&mut self, subject: &K, position: Position) {
        match self.places.get_mut(subject) {
            Some(place) if *place == position => return,
            Some(place) => {
                self.order.remove(&(*place, subject.clone()));
                *place = position;
            }
            None => {
                self.places.insert(subject.clone(), position);
            }
        }
        self.order.insert((position, subject.clone()));
        if self.order.len() > self.capacity
            && let Some((position, subject)) = self.order.pop_first()
        {
            self.places.remove(&subject);
            self.floor = position;
        }
    }

    /// Whether every change after a position is known.
    pub fn reaches_back_to(&self, position: Position) -> bool {
        position >= self.floor
    }

    /// Whether the subject may have changed after a position.
    pub fn may_have_changed(&self, subject: &K, after: Position) -> bool {
        !self.reaches_back_to(after) || self.places.get(subject).is_some_and(|place| *place > after)
    }

    /// The subjects that changed after a position, newest change first; `None` when that is not known.
    fn since(&self, after: Position) -> Option<impl Iterator<Item = &K>> {
        let newer = self.order.iter().rev().take_while(move |(position, _)| *position > after);
        self.reaches_back_to(after).then(|| newer.map(|(_, subject)| subject))
    }

    /// Those of some subjects that changed after a position; `None` when that is not known. The cost follows the smaller of both numbers.
    pub fn changed_of<V>(&self, subjects: &BTreeMap<K, V>, after: Position) -> Option<Vec<K>> {
        let first: Vec<&K> = self.since(after)?.take(subjects.len() + 1).collect();
        if first.len() <= subjects.len() {
            let changed = first.into_iter().filter(|subject| subjects.contains_key(subject));
            return Some(changed.cloned().collect());
        }
        let has_changed = |subject: &&K| self.places.get(subject).is_some_and(|place| *place > after);
        Some(subjects.keys().filter(has_changed).cloned().collect())
    }
}

/// The logs of all streams of the database that sync reads.
pub struct Logs {
    pub events: ChangeLog<RoomNumber>,
    pub receipts: ChangeLog<RoomNumber>,
    pub memberships: ChangeLog<OwnedUserId>,
    pub account_data: ChangeLog<OwnedUserId>,
    pub private_receipts: ChangeLog<OwnedUserId>,
}

impl Logs {
    /// Logs that know nothing up to a position.
    fn new(floor: Position) -> Self {
        Self {
            events: ChangeLog::new(floor, MAX_ROOMS),
            receipts: ChangeLog::new(floor, MAX_ROOMS),
            memberships: ChangeLog::new(floor, MAX_USERS),
            account_data: ChangeLog::new(floor, MAX_USERS),
            private_receipts: ChangeLog::new(floor, MAX_USERS),
        }
    }
}

/// The logs, and how far they go.
pub struct Changes {
    server: OwnedServerName,
    publications: Receiver<Arc<Publication>>,
    /// Everything up to here is in the logs.
    reached: Position,
    /// Publications were missed before the next one.
    lagged: bool,
    pub logs: Logs,
}

impl Changes {
    /// Logs that know what changes from now on.
    pub fn new(db: &Db, server: OwnedServerName) -> Self {
        // Subscribed first: what is published in between is in both.
        let publications = db.subscribe();
        let reached = db.published();
        Self { server, publications, reached, lagged: false, logs: Logs::new(reached) }
    }

    /// Takes in what was published since. Returns the position that has been reached: every write that was acknowledged before the call
    /// is at or below it.
    pub fn catch_up(&mut self) -> Position {
        loop {
            match self.publications.try_recv() {
                Ok(publication) => self.take(&publication),
                Err(TryRecvError::Lagged(_)) => self.lagged = true,
                // The store has stopped: nothing will come any more.
                Err(TryRecvError::Empty | TryRecvError::Closed) => return self.reached,
            }
        }
    }

    fn take(&mut self, publication: &Publication) {
        let position = publication.position;
        self.reached = position.max(self.reached);
        if std::mem::take(&mut self.lagged) {
            self.logs = Logs::new(position);
        }
        for notice in &publication.notices {
            self.note(notice, position);
        }
    }

    fn note(&mut self, notice: &Notice, position: Position) {
        if let Some(room) = notice.subject::<Timeline>() {
            self.logs.events.record(&room, position);
        } else if let Some(room) = notice.subject::<ReceiptChanges>() {
            self.logs.receipts.record(&room, position);
        } else if let Some(user) = notice.subject::<UserRooms>() {
            // Rows of the users of other servers are written alike, and nobody syncs them here.
            if user.server_name() == self.server {
                self.logs.memberships.record(&user, position);
            }
        } else if let Some(user) = notice.subject::<AccountDataChanges>() {
            self.logs.account_data.record(&user, position);
        } else if let Some(user) = notice.subject::<PrivateReceiptChanges>() {
            self.logs.private_receipts.record(&user, position);
        }
    }
}

/// The user whom a notice of a user's stream is about.
pub fn user_of(notice: &Notice) -> Option<OwnedUserId> {
    notice
        .subject::<UserRooms>()
        .or_else(|| notice.subject::<AccountDataChanges>())
        .or_else(|| notice.subject::<PrivateReceiptChanges>())
}

/// [`Changes`] that many look at.
pub struct SharedChanges(Mutex<Changes>);

impl SharedChanges {
    pub fn new(db: &Db, server: OwnedServerName) -> Self {
        Self(Mutex::new(Changes::new(db, server)))
    }

    /// The logs, caught up with what has been published, and how far that is.
    pub fn now(&self) -> (MutexGuard<'_, Changes>, Position) {
        // Whatever a panicking holder left behind is whole: entries move one by one.
        let mut changes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let reached = changes.catch_up();
        (changes, reached)
    }
}
