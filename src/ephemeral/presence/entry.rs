//! One user's presence as a function of facts and time.
//!
//! Owns: what is known of a user who is in memory, and the rules that make a presence of it (client-server API, "Presence").
//! Does not own: who is told, what is stored.
//!
//! Invariants: nothing is stored twice: the state is computed from the facts, so no timer can be missed; pure.

use std::time::Duration;

use plop_base::UnixMillis;
use ruma::{DeviceId, OwnedDeviceId};

use crate::schema::PresenceRow;

/// After this long without activity the user is `unavailable` (client-server API, "Idle timeout").
pub const IDLE_AFTER: Duration = Duration::from_secs(5 * 60);
/// For this long after activity the user is `currently_active`, and further activity is not announced.
pub const ACTIVE_FOR: Duration = Duration::from_secs(60);
/// How long after the last connection ended the user is `offline`: longer than a client takes to poll again.
pub const OFFLINE_AFTER: Duration = Duration::from_secs(30);

/// Whether a user can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PresenceState {
    Online,
    Unavailable,
    Offline,
}

/// What others see, except the time of the last activity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub state: PresenceState,
    pub currently_active: bool,
}

impl Shown {
    pub const OFFLINE: Shown = Shown { state: PresenceState::Offline, currently_active: false };
}

/// The facts.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// What the user asked for last.
    chosen: PresenceState,
    pub status_msg: Option<String>,
    /// For people.
    pub last_active: UnixMillis,
    /// The same on the monotonic clock; `None` before any activity in this process.
    active_at: Option<Duration>,
    /// Connections that are open now.
    pub connections: u32,
    /// How many of them show the user as online: there is somebody at the client.
    at_client: u32,
    /// When one of these ended last, or the user did something.
    at_client_until: Option<Duration>,
    /// The device at which that was.
    last_client: Option<OwnedDeviceId>,
    /// When the user was last seen without being connected since; `None` before that.
    left_at: Option<Duration>,
    /// As last announced.
    pub announced: Shown,
}

impl Entry {
    /// A user who is not there.
    pub fn absent(last_active: UnixMillis, status_msg: Option<String>) -> Entry {
        Entry {
            chosen: PresenceState::Online,
            status_msg,
            last_active,
            active_at: None,
            connections: 0,
            at_client: 0,
            at_client_until: None,
            last_client: None,
            left_at: None,
            announced: Shown::OFFLINE,
        }
    }

    /// What outlives the process.
    pub fn row(&self) -> PresenceRow {
        PresenceRow { last_active: self.last_active, status_msg: self.status_msg.clone() }
    }

    /// What others see at this time.
    pub fn shown(&self, now: Duration) -> Shown {
        let is_there = self.connections > 0 || before(now, self.left_at, OFFLINE_AFTER);
        if !is_there || self.chosen == PresenceState::Offline {
            return Shown::OFFLINE;
        }
        let is_idle = !self.is_at_client(now) || !before(now, self.active_at, IDLE_AFTER);
        if self.chosen == PresenceState::Unavailable || is_idle {
            return Shown { state: PresenceState::Unavailable, currently_active: false };
        }
        let currently_active = before(now, self.active_at, ACTIVE_FOR);
        Shown { state: PresenceState::Online, currently_active }
    }

    /// When [`Entry::shown`] may next be different without anything happening.
    pub fn next_change(&self, now: Duration) -> Option<Duration> {
        let left_at = if self.connections == 0 { self.left_at } else { None };
        let until = if self.at_client == 0 { self.at_client_until } else { None };
        let active = self.active_at;
        let ends =
            [(left_at, OFFLINE_AFTER), (until, OFFLINE_AFTER), (active, IDLE_AFTER), (active, ACTIVE_FOR)];
        ends.into_iter()
            .filter_map(|(from, length)| from.map(|from| from + length))
            .filter(|at| *at > now)
            .min()
    }

    /// The user asked for a state, which is itself an activity.
    pub fn choose(&mut self, state: PresenceState, now: Duration, wall: UnixMillis, by: Option<&DeviceId>) {
        self.chosen = state;
        self.touch(now, wall, by);
    }

    /// The user did something. Who chose to be offline stays so; everybody else is online.
    pub fn act(&mut self, now: Duration, wall: UnixMillis, by: Option<&DeviceId>) {
        if self.chosen != PresenceState::Offline {
            self.chosen = PresenceState::Online;
        }
        self.touch(now, wall, by);
    }

    /// A client that shows its user as `state` polls. It brings back who was offline; somebody who is at a client again is active. Else it changes
    /// nothing: polling is no activity. Of several clients the most present one counts; the one at which the user was last may say that nobody is there now.
    pub fn connect(&mut self, state: PresenceState, now: Duration, wall: UnixMillis, by: Option<&DeviceId>) {
        let was_offline = self.shown(now).state == PresenceState::Offline;
        let was_at_client = self.is_at_client(now);
        self.connections = self.connections.saturating_add(1);
        if was_offline {
            self.chosen = PresenceState::Online;
        }
        if state == PresenceState::Online {
            self.at_client = self.at_client.saturating_add(1);
            if was_offline || !was_at_client {
                self.touch(now, wall, by);
            }
        } else if by.is_some() && self.last_client.as_deref() == by {
            self.at_client_until = None;
        }
    }

    /// Such a connection ended.
    pub fn disconnect(&mut self, state: PresenceState, now: Duration, by: Option<&DeviceId>) {
        self.connections = self.connections.saturating_sub(1);
        self.left_at = Some(now);
        if state == PresenceState::Online {
            self.at_client = self.at_client.saturating_sub(1);
            self.at_client_until = Some(now);
            self.last_client = by.map(ToOwned::to_owned);
        }
    }

    /// Whether somebody is at a client, or was a moment ago: between two polls it is the same.
    fn is_at_client(&self, now: Duration) -> bool {
        self.at_client > 0 || before(now, self.at_client_until, OFFLINE_AFTER)
    }

    fn touch(&mut self, now: Duration, wall: UnixMillis, by: Option<&DeviceId>) {
        self.active_at = Some(now);
        self.left_at = Some(now);
        self.at_client_until = Some(now);
        self.last_client = by.map(ToOwned::to_owned);
        self.last_active = self.last_active.max(wall);
    }
}

/// Whether `now` is before `length` after `from`.
fn before(now: Duration, from: Option<Duration>, length: Duration) -> bool {
    from.is_some_and(|from| now < from + length)
}
