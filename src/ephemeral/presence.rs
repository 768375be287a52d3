//! Who is there (client-server API, "Presence"), for users of this server.
//!
//! Owns: what is known of each user, when it changes by itself, who changed since a position, the row that outlives the process. Does not
//! own: who may look (the edge knows who shares a room), presence that other servers send.
//!
//! Invariants: a user is in memory from the first sign until offline and stored, and at most [`MAX_USERS`] are; what others see changes
//! exactly when the user is published; activity while `currently_active` publishes nothing. Rows are written relaxed, together, every
//! [`STORE_EVERY`]: any number of changes between is one row. After a restart everybody is offline until seen.

mod entry;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use plop_base::{Actor, Clock, UnixMillis};
use plop_db::{Batch, CommitError, Db, ReadError};
use ruma::{OwnedDeviceId, OwnedUserId, UserId};
use tokio::sync::broadcast;

pub use self::entry::{ACTIVE_FOR, IDLE_AFTER, OFFLINE_AFTER, PresenceState};
use self::entry::{Entry, Shown};
use crate::authority::{Forbidden, is_seen_as};
use crate::changes::{LiveLog, LivePosition, ProcessStart};
use crate::deadlines::{Deadlines, Timer};
use crate::schema::{LastPresence, PresenceRow};

/// Longest status message: it goes to everyone who shares a room.
pub const MAX_STATUS_BYTES: usize = 1_024;
/// Users in memory.
pub const MAX_USERS: usize = 100_000;
/// How long changes wait to be stored together.
pub const STORE_EVERY: Duration = Duration::from_secs(10);
/// Rows of one batch.
const ROWS_AT_ONCE: usize = 500;

/// What others may see of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresenceSnapshot {
    pub user: OwnedUserId,
    pub state: PresenceState,
    pub currently_active: bool,
    pub last_active: UnixMillis,
    pub status_msg: Option<String>,
}

/// Why a presence is not set.
#[derive(Debug, thiserror::Error)]
pub enum PresenceError {
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    #[error("the status message is longer than {MAX_STATUS_BYTES} bytes")]
    StatusTooLong,
    #[error("the presence of {MAX_USERS} users is being followed; no more at present")]
    TooManyUsers,
}

/// The presence of this server's users.
pub struct Presence {
    db: Db,
    clock: Clock,
    state: Mutex<State>,
    timer: Timer,
}

struct State {
    users: BTreeMap<OwnedUserId, Entry>,
    deadlines: Deadlines<OwnedUserId>,
    log: LiveLog<OwnedUserId>,
    /// Users whose row is older than their entry; who has no entry is forgotten.
    unstored: BTreeSet<OwnedUserId>,
}

impl State {
    fn has_room_for(&self, user: &UserId) -> bool {
        self.users.len() < MAX_USERS || self.users.contains_key(user)
    }
}

/// An open connection of a user: the user is there while it lives.
pub struct Connection {
    /// `None` when it says nothing about the user.
    of: Option<Polling>,
}

/// A client that polls.
struct Polling {
    presence: Arc<Presence>,
    user: OwnedUserId,
    shown_as: PresenceState,
    device: Option<OwnedDeviceId>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(Polling { presence, user, shown_as, device }) = self.of.take() {
            let mut state = presence.settled();
            let now = presence.clock.monotonic();
            if let Some(entry) = state.users.get_mut(&user) {
                entry.disconnect(shown_as, now, device.as_deref());
            }
            presence.settle(&mut state, &user, now);
        }
    }
}

impl Presence {
    /// Nobody is there.
    pub fn new(db: Db, clock: Clock, start: ProcessStart) -> Self {
        let state = State {
            users: BTreeMap::new(),
            deadlines: Deadlines::new(),
            log: LiveLog::new(start, MAX_USERS),
            unstored: BTreeSet::new(),
        };
        Self { db, timer: Timer::new(clock.clone()), clock, state: Mutex::new(state) }
    }

    /// Sets the state and the status message that goes with it; none removes the one before.
    pub fn set(
        &self,
        actor: &Actor,
        user: &UserId,
        presence: PresenceState,
        status_msg: Option<String>,
    ) -> Result<(), PresenceError> {
        if status_msg.as_ref().is_some_and(|status| status.len() > MAX_STATUS_BYTES) {
            return Err(PresenceError::StatusTooLong);
        }
        if !is_seen_as(actor, user)? {
            return Ok(());
        }
        let mut state = self.settled();
        if !state.has_room_for(user) {
            return Err(PresenceError::TooManyUsers);
        }
        let (now, wall) = (self.clock.monotonic(), self.clock.now());
        let entry = state.users.entry(user.to_owned()).or_insert_with(|| Entry::absent(wall, None));
        entry.choose(presence, now, wall, actor.device_id());
        let has_new_status = entry.status_msg != status_msg;
        entry.status_msg = status_msg;
        state.unstored.insert(user.to_owned());
        if !self.settle(&mut state, user, now) && has_new_status {
            state.log.record(&user.to_owned());
        }
        Ok(())
    }

    /// The user did something, such as sending an event.
    pub async fn act(&self, actor: &Actor, user: &UserId) -> Result<(), PresenceReadError> {
        if is_seen_as(actor, user)? {
            let by = actor.device_id();
            self.with_entry(user, |entry, now, wall| entry.act(now, wall, by)).await?;
        }
        Ok(())
    }

    /// The name or the picture of a user changed, which others see with the presence (client-server API, "Events on Change of Profile
    /// Information").
    pub fn profile_changed(&self, actor: &Actor, user: &UserId) -> Result<(), Forbidden> {
        if is_seen_as(actor, user)? {
            self.settled().log.record(&user.to_owned());
        }
        Ok(())
    }

    /// Forgets a user whose account has ended: others see somebody who was never there.
    pub fn forget(&self, user: &UserId) {
        let (user, mut state) = (user.to_owned(), self.settled());
        state.users.remove(&user);
        self.timer.set(state.deadlines.set(&user, None));
        state.log.record(&user);
        state.unstored.insert(user);
    }

    /// A client polls, and shows its user as `presence` (`set_presence` of `/sync`); offline says nothing about the user. The user stays there as long
    /// as the connection lives, and [`OFFLINE_AFTER`] longer.
    pub async fn connect(
        self: &Arc<Self>,
        actor: &Actor,
        user: &UserId,
        presence: PresenceState,
    ) -> Result<Connection, PresenceReadError> {
        if !is_seen_as(actor, user)? || presence == PresenceState::Offline {
            return Ok(Connection { of: None });
        }
        let by = actor.device_id();
        let is_followed =
            self.with_entry(user, |entry, now, wall| entry.connect(presence, now, wall, by)).await?;
        let polling = || Polling {
            presence: self.clone(),
            user: user.to_owned(),
            shown_as: presence,
            device: by.map(ToOwned::to_owned),
        };
        Ok(Connection { of: is_followed.then(polling) })
    }

    /// Changes the entry of a user, made from the stored row if there is none. Says whether there is room for it.
    async fn with_entry(
        &self,
        user: &UserId,
        change: impl FnOnce(&mut Entry, Duration, UnixMillis),
    ) -> Result<bool, ReadError> {
        let is_known = self.settled().users.contains_key(user);
        let row =
            if is_known { None } else { self.db.snapshot().get::<LastPresence>(&user.to_owned()).await? };
        let mut state = self.settled();
        if !state.has_room_for(user) {
            return Ok(false);
        }
        let (now, wall) = (self.clock.monotonic(), self.clock.now());
        let entry = state.users.entry(user.to_owned()).or_insert_with(|| match row {
            Some(row) => Entry::absent(row.last_active, row.status_msg),
            None => Entry::absent(wall, None),
        });
        change(entry, now, wall);
        self.settle(&mut state, user, now);
        Ok(true)
    }

    /// A user's presence; `None` for one who was never seen.
    pub async fn get(&self, user: &UserId) -> Result<Option<PresenceSnapshot>, ReadError> {
        Ok(self.get_many(&[user.to_owned()]).await?.pop())
    }

    /// The presence of these users, in their order, without those who were never seen. Users who are not there cost one read together.
    pub async fn get_many(&self, users: &[OwnedUserId]) -> Result<Vec<PresenceSnapshot>, ReadError> {
        let present = self.get_present(users);
        let there: BTreeSet<&OwnedUserId> = present.iter().map(|found| &found.user).collect();
        let mut absent: Vec<_> = users.iter().filter(|user| !there.contains(user)).cloned().collect();
        self.without_forgotten(&mut absent);
        if absent.is_empty() {
            return Ok(present);
        }
        let rows = self.db.snapshot().get_many::<LastPresence>(&absent).await?;
        let absent = absent.into_iter().zip(rows).filter_map(|(user, row)| {
            let PresenceRow { last_active, status_msg } = row?;
            let Shown { state, currently_active } = Shown::OFFLINE;
            Some((user.clone(), PresenceSnapshot { user, state, currently_active, last_active, status_msg }))
        });
        let mut found: BTreeMap<OwnedUserId, PresenceSnapshot> = absent.collect();
        found.extend(present.into_iter().map(|present| (present.user.clone(), present)));
        Ok(users.iter().filter_map(|user| found.remove(user)).collect())
    }

    /// Leaves out who is forgotten, though there is a row still.
    fn without_forgotten(&self, absent: &mut Vec<OwnedUserId>) {
        let state = self.settled();
        absent.retain(|user| state.users.contains_key(user) || !state.unstored.contains(user));
    }

    /// Of these users those in memory, in their order: everybody who is not offline, and some who are. Reads nothing else.
    pub fn get_present(&self, users: &[OwnedUserId]) -> Vec<PresenceSnapshot> {
        let state = self.settled();
        let found = users.iter().filter_map(|user| {
            let entry = state.users.get(user)?;
            let Shown { state, currently_active } = entry.announced;
            let (last_active, status_msg) = (entry.last_active, entry.status_msg.clone());
            Some(PresenceSnapshot { user: user.clone(), state, currently_active, last_active, status_msg })
        });
        found.collect()
    }

    /// Where the stream stands.
    pub fn position(&self) -> LivePosition {
        self.settled().log.current()
    }

    /// Who changed after a position, each once, and where, oldest change first; `None` when that is not known, then everybody's presence is sent.
    pub fn changes_since(&self, after: LivePosition) -> Option<Vec<(LivePosition, OwnedUserId)>> {
        let state = self.settled();
        let newest_first = state.log.since(after)?.map(|(place, user)| (place, user.clone()));
        let mut changes: Vec<_> = newest_first.collect();
        changes.reverse();
        Some(changes)
    }

    /// How many users are in memory: everybody who is not offline, and some who are.
    pub fn known(&self) -> usize {
        self.settled().users.len()
    }

    /// Users in memory in the order of their ids: some after a user, or from the beginning.
    pub fn known_after(&self, after: Option<&UserId>, limit: usize) -> Vec<OwnedUserId> {
        let after = after.map_or(Bound::Unbounded, |user| Bound::Excluded(user.to_owned()));
        let state = self.settled();
        state.users.range((after, Bound::Unbounded)).take(limit).map(|(user, _)| user.clone()).collect()
    }

    /// Those of some users who are in memory.
    pub fn known_of<'u>(&self, users: impl IntoIterator<Item = &'u OwnedUserId>) -> Vec<OwnedUserId> {
        let state = self.settled();
        users.into_iter().filter(|user| state.users.contains_key(*user)).cloned().collect()
    }

    /// Users who change from now on. A subscriber that lagged takes everybody as changed.
    pub fn subscribe(&self) -> broadcast::Receiver<OwnedUserId> {
        self.settled().log.subscribe()
    }

    /// Lets users become idle and offline, for ever: for a background task.
    pub async fn run(&self) {
        self.timer.run(|| self.settled().deadlines.first()).await;
    }

    /// Stores what changed every [`STORE_EVERY`], for ever: for a background task. What the store refuses waits for the next time.
    pub async fn run_storing(&self) {
        loop {
            self.clock.sleep(STORE_EVERY).await;
            // The store itself says why it takes no writes; nothing is lost, for the rows are still to be written.
            let _ = self.save().await;
        }
    }

    /// Stores what changed, and lets go of the users who are offline. Also for the end of the process.
    pub async fn save(&self) -> Result<(), CommitError> {
        let unstored: Vec<OwnedUserId> = self.settled().unstored.iter().cloned().collect();
        for part in unstored.chunks(ROWS_AT_ONCE) {
            let rows = self.rows_of(part);
            let mut batch = Batch::relaxed();
            for (user, row) in &rows {
                match row {
                    Some(row) => batch.put::<LastPresence>(user, row),
                    None => batch.delete::<LastPresence>(user),
                }
            }
            self.db.commit(batch).await?;
            self.stored(rows);
        }
        Ok(())
    }

    /// What is to be in the store; `None` of who is forgotten.
    fn rows_of(&self, users: &[OwnedUserId]) -> Vec<(OwnedUserId, Option<PresenceRow>)> {
        let state = self.settled();
        users.iter().map(|user| (user.clone(), state.users.get(user).map(Entry::row))).collect()
    }

    /// These rows are in the store: who has not changed since and is not there is let go.
    fn stored(&self, rows: Vec<(OwnedUserId, Option<PresenceRow>)>) {
        let mut state = self.settled();
        for (user, row) in rows {
            let entry = state.users.get(&user);
            if entry.map(Entry::row) != row {
                continue;
            }
            let is_gone =
                entry.is_some_and(|entry| entry.connections == 0 && entry.announced == Shown::OFFLINE);
            state.unstored.remove(&user);
            if is_gone {
                state.users.remove(&user);
                state.deadlines.set(&user, None);
            }
        }
    }

    /// The state as of now.
    fn settled(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.monotonic();
        while let Some(user) = state.deadlines.take_due(now) {
            self.settle(&mut state, &user, now);
        }
        state
    }

    /// Publishes a user who is seen otherwise than before, and looks again when that may next be so. Says whether it was.
    fn settle(&self, state: &mut State, user: &UserId, now: Duration) -> bool {
        let Some(entry) = state.users.get_mut(user) else { return false };
        let next = entry.next_change(now);
        let shown = entry.shown(now);
        let is_new = shown != entry.announced;
        entry.announced = shown;
        self.timer.set(state.deadlines.set(&user.to_owned(), next));
        if is_new {
            state.unstored.insert(user.to_owned());
            state.log.record(&user.to_owned());
        }
        is_new
    }
}

/// Why a sign of a user is not taken.
#[derive(Debug, thiserror::Error)]
pub enum PresenceReadError {
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    #[error(transparent)]
    Read(#[from] ReadError),
}
