//! The parts of an answer (client-server API, `GET /sync`).
//!
//! Owns: the types. Does not own: what is in them, their text ([`crate::json`]).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plop_db::Position;
use plop_e2ee::keys::KeyCount;
use plop_unread::{Counts, RoomCounts};
use ruma::{OwnedRoomId, OwnedUserId};

use crate::key_counts::changed_after;
use crate::state::StateEvents;

/// Events as JSON texts.
pub type Events = Vec<String>;

/// What is told besides the rooms that the user is in, or has left.
#[derive(Debug, Default)]
pub struct Apart {
    pub account_data: Events,
    pub presence: Events,
    /// Messages to this device, each a JSON text.
    pub to_device: Vec<Arc<str>>,
    /// Stripped state.
    pub invited: BTreeMap<OwnedRoomId, Events>,
    pub knocked: BTreeMap<OwnedRoomId, Events>,
    pub encryption: Encryption,
}

impl Apart {
    /// Whether there is nothing new besides encryption.
    pub fn is_empty(&self) -> bool {
        self.account_data.is_empty()
            && self.presence.is_empty()
            && self.to_device.is_empty()
            && self.invited.is_empty()
            && self.knocked.is_empty()
    }
}

/// What concerns encryption.
#[derive(Debug, Clone, Default)]
pub struct Encryption {
    pub device_lists: DeviceLists,
    /// What is left of the device's keys, new or not; `None` for who has no device.
    pub key_count: Option<Arc<KeyCount>>,
}

impl Encryption {
    /// Whether there is anything that the client has not been told up to a position.
    pub fn is_news(&self, since: Position) -> bool {
        let count = self.key_count.as_ref();
        !self.device_lists.is_empty() || count.is_some_and(|count| changed_after(count, since))
    }
}

/// Users whose device lists a client has to look at anew, and need not keep up with any more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceLists {
    pub changed: BTreeSet<OwnedUserId>,
    pub left: BTreeSet<OwnedUserId>,
}

impl DeviceLists {
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.left.is_empty()
    }
}

/// A part of a room's timeline.
#[derive(Debug, Default)]
pub struct RoomTimeline {
    /// Oldest first.
    pub events: Events,
    /// Whether events before them were left out.
    pub limited: bool,
    /// Where to read on backwards.
    pub prev_batch: Option<String>,
}

/// What a room without a name is called by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// `None` where the room has a name.
    pub heroes: Option<Vec<OwnedUserId>>,
    pub joined: u64,
    pub invited: u64,
}

/// The state of a room.
#[derive(Debug, Default)]
pub struct RoomState {
    pub events: Events,
    /// What is read while it is written.
    pub rest: Option<StateEvents>,
}

impl RoomState {
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.rest.is_none()
    }
}

/// News of a room that the user is in.
#[derive(Debug, Default)]
pub struct JoinedRoom {
    pub summary: Option<Summary>,
    pub state: RoomState,
    pub timeline: RoomTimeline,
    pub ephemeral: Events,
    pub account_data: Events,
    pub unread: Option<UnreadNotifications>,
}

/// How much the user has not read.
#[derive(Debug)]
pub enum UnreadNotifications {
    InRoom(Counts),
    ByThread(RoomCounts),
}

/// News of a room that the user has left.
#[derive(Debug, Default)]
pub struct LeftRoom {
    pub state: RoomState,
    pub timeline: RoomTimeline,
    pub account_data: Events,
}

impl JoinedRoom {
    pub fn is_empty(&self) -> bool {
        self.summary.is_none()
            && self.state.is_empty()
            && self.timeline.events.is_empty()
            && !self.timeline.limited
            && self.ephemeral.is_empty()
            && self.account_data.is_empty()
            && self.unread.is_none()
    }
}
