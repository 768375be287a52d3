//! What changed last when, in memory.
//!
//! Owns: [`Logs`], the last change of each subject of the streams that sync reads, and [`Changes`], fed by what the store publishes. Does not own: the log
//! itself ([`ChangeLog`]), what the changes are, who waits for them.
//!
//! Invariants: whoever looks catches up first, so a log has every write that was acknowledged before. Those who look at once do not wait for each other,
//! unless there is something to take in.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use plop_accounts::schema::{AccountDataChanges, DeviceEnds, DeviceListChanges, ThreadSubscriptionChanges};
use plop_base::changes::ChangeLog;
use plop_db::{Db, Notice, Position, Publication, Snapshot};
use plop_e2ee::schema::{KeyCounts, SignatureChanges};
use plop_ephemeral::schema::{PrivateReceiptChanges, ReceiptChanges};
use plop_rooms::schema::{Timeline, UserRooms};
use plop_state_store::RoomNumber;
use ruma::{OwnedDeviceId, OwnedServerName, OwnedUserId, UserId};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;

use crate::member_moves::MemberMoves;

/// Rooms of a stream that are remembered.
const MAX_ROOMS: usize = 100_000;
/// Users of a stream that are remembered.
const MAX_USERS: usize = 100_000;
/// Members of rooms who came or left and are remembered; some 40 MB.
const MAX_MOVES: usize = 200_000;

/// Users whose device lists changed since a position that is near, less than.
const MAX_NEAR: usize = 1_000;

/// The last change of each subject of a stream of the database.
pub type Log<K> = ChangeLog<K, Position>;

/// The logs of all streams of the database that sync reads.
pub struct Logs {
    pub events: Log<RoomNumber>,
    pub receipts: Log<RoomNumber>,
    pub memberships: Log<OwnedUserId>,
    /// Of these users the rooms.
    pub rooms_of_users: Log<(OwnedUserId, RoomNumber)>,
    pub account_data: Log<OwnedUserId>,
    pub thread_subscriptions: Log<OwnedUserId>,
    pub private_receipts: Log<OwnedUserId>,
    pub device_lists: Log<OwnedUserId>,
    /// Who signed.
    pub signatures: Log<OwnedUserId>,
    /// Devices whose keys were claimed or uploaded, or that ended: a later one of that name has keys of its own.
    pub key_counts: Log<(OwnedUserId, OwnedDeviceId)>,
}

impl Logs {
    /// The rooms of a user whose rows changed after a position; `None` when that is not known.
    pub fn rooms_of(&self, user: &UserId, after: Position) -> Option<Vec<RoomNumber>> {
        let user = user.to_owned();
        if !self.memberships.may_have_changed(&user, after) {
            return Some(Vec::new());
        }
        let all = (user.clone(), RoomNumber(0))..=(user, RoomNumber(u64::MAX));
        let changed = self.rooms_of_users.changed_in(all, after)?;
        Some(changed.into_iter().map(|(_, room)| room).collect())
    }

    /// Whether a look from a position finds in memory, and soon, what changed since.
    pub fn are_near(&self, position: Position) -> bool {
        let lists = self.device_lists.since(position).map(|changed| changed.take(MAX_NEAR).count());
        self.events.reaches_back_to(position)
            && self.receipts.reaches_back_to(position)
            && lists.is_some_and(|lists| lists < MAX_NEAR)
    }

    /// Logs that know nothing up to a position.
    fn new(floor: Position) -> Self {
        Self {
            events: ChangeLog::new(floor, MAX_ROOMS),
            receipts: ChangeLog::new(floor, MAX_ROOMS),
            memberships: ChangeLog::new(floor, MAX_USERS),
            rooms_of_users: ChangeLog::new(floor, MAX_USERS),
            account_data: ChangeLog::new(floor, MAX_USERS),
            thread_subscriptions: ChangeLog::new(floor, MAX_USERS),
            private_receipts: ChangeLog::new(floor, MAX_USERS),
            device_lists: ChangeLog::new(floor, MAX_USERS),
            signatures: ChangeLog::new(floor, MAX_USERS),
            key_counts: ChangeLog::new(floor, MAX_USERS),
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
    /// Of all users, also those of other servers.
    pub moves: MemberMoves,
}

impl Changes {
    /// Logs that know what changes from now on.
    pub fn new(db: &Db, server: OwnedServerName) -> Self {
        // Subscribed first: what is published in between is in both.
        let publications = db.subscribe();
        let reached = db.published();
        let moves = MemberMoves::new(reached, MAX_MOVES);
        Self { server, publications, reached, lagged: false, logs: Logs::new(reached), moves }
    }

    /// Takes in what was published since: every write that was acknowledged before the call.
    fn catch_up(&mut self) {
        loop {
            match self.publications.try_recv() {
                Ok(publication) => self.take(&publication),
                Err(TryRecvError::Lagged(_)) => self.lagged = true,
                // The store has stopped: nothing will come any more.
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }

    fn take(&mut self, publication: &Publication) {
        let position = publication.position;
        self.reached = position.max(self.reached);
        if std::mem::take(&mut self.lagged) {
            self.logs = Logs::new(position);
            self.moves = MemberMoves::new(position, MAX_MOVES);
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
        } else if let Some(row) = notice.subject::<UserRooms>() {
            // Rows of the users of other servers are written alike, and nobody syncs them here.
            if row.0.server_name() == self.server {
                self.logs.memberships.record(&row.0, position);
                self.logs.rooms_of_users.record(&row, position);
            }
            self.moves.record(row.1, row.0, position);
        } else if let Some(user) = notice.subject::<AccountDataChanges>() {
            self.logs.account_data.record(&user, position);
        } else if let Some(user) = notice.subject::<ThreadSubscriptionChanges>() {
            self.logs.thread_subscriptions.record(&user, position);
        } else if let Some(user) = notice.subject::<PrivateReceiptChanges>() {
            self.logs.private_receipts.record(&user, position);
        } else {
            self.note_keys(notice, position);
        }
    }

    fn note_keys(&mut self, notice: &Notice, position: Position) {
        if let Some(user) = notice.subject::<DeviceListChanges>() {
            self.logs.device_lists.record(&user, position);
        } else if let Some(user) = notice.subject::<SignatureChanges>() {
            self.logs.signatures.record(&user, position);
        } else if let Some(device) = notice.subject::<KeyCounts>().or_else(|| notice.subject::<DeviceEnds>())
        {
            self.logs.key_counts.record(&device, position);
        }
    }
}

/// The user whom a notice of a user's stream is about.
pub fn user_of(notice: &Notice) -> Option<OwnedUserId> {
    notice
        .subject::<UserRooms>()
        .map(|(user, _)| user)
        .or_else(|| notice.subject::<AccountDataChanges>())
        .or_else(|| notice.subject::<ThreadSubscriptionChanges>())
        .or_else(|| notice.subject::<PrivateReceiptChanges>())
        .or_else(|| notice.subject::<SignatureChanges>())
        .or_else(|| notice.subject::<KeyCounts>().map(|(user, _)| user))
}

/// [`Changes`] that many look at.
pub struct SharedChanges {
    db: Db,
    changes: RwLock<Changes>,
}

impl SharedChanges {
    pub fn new(db: &Db, server: OwnedServerName) -> Self {
        Self { db: db.clone(), changes: RwLock::new(Changes::new(db, server)) }
    }

    /// What the database has now.
    pub fn snapshot(&self) -> Snapshot {
        self.db.snapshot()
    }

    /// The logs, caught up with what has been published, and how far that is.
    pub fn now(&self) -> (RwLockReadGuard<'_, Changes>, Position) {
        let published = self.db.published();
        let mut changes = self.read();
        if changes.reached < published {
            drop(changes);
            self.changes.write().unwrap_or_else(PoisonError::into_inner).catch_up();
            changes = self.read();
        }
        let reached = changes.reached;
        (changes, reached)
    }

    fn read(&self) -> RwLockReadGuard<'_, Changes> {
        // Whatever a panicking holder left behind is whole: entries move one by one.
        self.changes.read().unwrap_or_else(PoisonError::into_inner)
    }
}
