//! Who is typing (client-server API, "Typing Notifications").
//!
//! Owns: the users who type in each room, until when, and which rooms' lists changed since a position. Does not own: whether the user is
//! in the room (the edge asks rooms), ignored users (the reader leaves them out).
//!
//! Invariants: nothing is stored; a user types for at most [`LONGEST_TIMEOUT`] after the last request; renewing changes nothing that others
//! see, so it moves no position and wakes nobody; at most [`MAX_TYPING_IN_ROOM`] users of a room and [`MAX_TYPING`] in all are shown, and who comes
//! later is not. One timer serves all users ([`Typing::run`]); reads never show what has expired, whether the timer runs or not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use plop_base::{Actor, Clock};
use plop_state_store::RoomNumber;
use ruma::{OwnedUserId, UserId};
use tokio::sync::broadcast;

use crate::authority::{Forbidden, is_seen_as};
use crate::changes::{LiveLog, LivePosition, ProcessStart};
use crate::deadlines::{Deadlines, Timer};

/// A client repeats its request every 20 to 30 seconds; what it asks for beyond this is cut to it.
pub const LONGEST_TIMEOUT: Duration = Duration::from_secs(120);
/// For requests that give no timeout.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// Users shown in a room: each change sends the whole list to everyone in it.
pub const MAX_TYPING_IN_ROOM: usize = 100;
/// Users shown in all rooms together.
pub const MAX_TYPING: usize = 20_000;
/// Rooms whose last change is remembered.
const REMEMBERED_ROOMS: usize = 20_000;

/// Who is typing where.
pub struct Typing {
    clock: Clock,
    state: Mutex<State>,
    timer: Timer,
}

struct State {
    rooms: BTreeMap<RoomNumber, BTreeSet<OwnedUserId>>,
    deadlines: Deadlines<(RoomNumber, OwnedUserId)>,
    log: LiveLog<RoomNumber>,
}

impl State {
    /// Says whether the user was typing.
    fn remove(&mut self, room: RoomNumber, user: &UserId) -> bool {
        let Some(users) = self.rooms.get_mut(&room) else { return false };
        let was_typing = users.remove(user);
        if users.is_empty() {
            self.rooms.remove(&room);
        }
        was_typing
    }
}

impl Typing {
    /// Nobody types.
    pub fn new(clock: Clock, start: ProcessStart) -> Self {
        let state = State {
            rooms: BTreeMap::new(),
            deadlines: Deadlines::new(),
            log: LiveLog::new(start, REMEMBERED_ROOMS),
        };
        Self { timer: Timer::new(clock.clone()), clock, state: Mutex::new(state) }
    }

    /// The user types in the room for this long from now on; a timeout of zero is the same as [`Typing::stop`]. When too many type already,
    /// nothing happens.
    pub fn start(
        &self,
        actor: &Actor,
        room: RoomNumber,
        user: &UserId,
        timeout: Duration,
    ) -> Result<(), Forbidden> {
        if timeout.is_zero() {
            return self.stop(actor, room, user);
        }
        if !is_seen_as(actor, user)? {
            return Ok(());
        }
        let mut state = self.settled();
        let typing = state.rooms.get(&room);
        let is_typing = typing.is_some_and(|users| users.contains(user));
        let is_full = typing.is_some_and(|users| users.len() >= MAX_TYPING_IN_ROOM);
        if !is_typing && (is_full || state.deadlines.len() >= MAX_TYPING) {
            return Ok(());
        }
        let until = self.clock.monotonic().saturating_add(timeout.min(LONGEST_TIMEOUT));
        self.timer.set(state.deadlines.set(&(room, user.to_owned()), Some(until)));
        if !is_typing {
            state.rooms.entry(room).or_default().insert(user.to_owned());
            state.log.record(&room);
        }
        Ok(())
    }

    /// The user types no more.
    pub fn stop(&self, actor: &Actor, room: RoomNumber, user: &UserId) -> Result<(), Forbidden> {
        is_seen_as(actor, user)?;
        let mut state = self.settled();
        if state.remove(room, user) {
            state.deadlines.set(&(room, user.to_owned()), None);
            state.log.record(&room);
        }
        Ok(())
    }

    /// Where the stream stands.
    pub fn position(&self) -> LivePosition {
        self.settled().log.current()
    }

    /// Who types in a room, in the order of their ids.
    pub fn users(&self, room: RoomNumber) -> Vec<OwnedUserId> {
        let state = self.settled();
        state.rooms.get(&room).into_iter().flatten().cloned().collect()
    }

    /// The rooms whose list changed after a position, each once; `None` when that is not known, then every room's list is sent.
    pub fn rooms_changed_since(&self, after: LivePosition) -> Option<Vec<RoomNumber>> {
        self.settled().log.since(after).map(|changed| changed.map(|(_, room)| *room).collect())
    }

    /// Rooms whose list changes from now on. A subscriber that lagged takes every room as changed.
    pub fn subscribe(&self) -> broadcast::Receiver<RoomNumber> {
        self.settled().log.subscribe()
    }

    /// Ends what has expired, for ever: for a background task.
    pub async fn run(&self) {
        self.timer.run(|| self.settled().deadlines.first()).await;
    }

    /// The state without what has expired.
    fn settled(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.monotonic();
        let mut changed = BTreeSet::new();
        while let Some((room, user)) = state.deadlines.take_due(now) {
            if state.remove(room, &user) {
                changed.insert(room);
            }
        }
        for room in changed {
            state.log.record(&room);
        }
        state
    }
}
