//! The answer (client-server API, `GET /sync`).
//!
//! Owns: its parts and its JSON text. Does not own: what is in them.
//!
//! Invariants: events are JSON texts that were made before; they are spliced in and never parsed. What is empty is left out, so that an answer without
//! news is a token and no more.

use std::collections::BTreeMap;
use std::sync::Arc;

use plop_state::json::write_string;
use plop_unread::{Counts, RoomCounts};
use ruma::{OwnedRoomId, OwnedUserId};

use crate::request::StateAt;

/// Events as JSON texts.
pub type Events = Vec<String>;

/// What is new for a client.
#[derive(Debug, Default)]
pub struct SyncResponse {
    pub next_batch: String,
    pub account_data: Events,
    pub presence: Events,
    /// Messages to this device, each a JSON text.
    pub to_device: Vec<Arc<str>>,
    pub joined: BTreeMap<OwnedRoomId, JoinedRoom>,
    /// Stripped state.
    pub invited: BTreeMap<OwnedRoomId, Events>,
    pub knocked: BTreeMap<OwnedRoomId, Events>,
    pub left: BTreeMap<OwnedRoomId, LeftRoom>,
    pub state_at: StateAt,
}

/// A part of a room's timeline.
#[derive(Debug, Default)]
pub struct Timeline {
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

/// News of a room that the user is in.
#[derive(Debug, Default)]
pub struct JoinedRoom {
    pub summary: Option<Summary>,
    pub state: Events,
    pub timeline: Timeline,
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
    pub state: Events,
    pub timeline: Timeline,
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

impl SyncResponse {
    /// Whether there is nothing new.
    pub fn is_empty(&self) -> bool {
        self.account_data.is_empty()
            && self.presence.is_empty()
            && self.to_device.is_empty()
            && self.joined.is_empty()
            && self.invited.is_empty()
            && self.knocked.is_empty()
            && self.left.is_empty()
    }

    /// The body of the answer.
    pub fn to_json(&self) -> String {
        let mut out = Writer { out: String::with_capacity(1024), first: true };
        out.open();
        out.key("next_batch");
        write_string(&mut out.out, &self.next_batch);
        out.events("account_data", &self.account_data);
        out.events("presence", &self.presence);
        if !(self.joined.is_empty()
            && self.invited.is_empty()
            && self.knocked.is_empty()
            && self.left.is_empty())
        {
            out.key("rooms");
            out.open();
            out.rooms("invite", &self.invited, |out, events| out.stripped("invite_state", events));
            out.rooms("join", &self.joined, |out, room| self.joined_room(out, room));
            out.rooms("knock", &self.knocked, |out, events| out.stripped("knock_state", events));
            out.rooms("leave", &self.left, |out, room| self.left_room(out, room));
            out.close();
        }
        out.events("to_device", &self.to_device);
        out.close();
        out.out
    }

    fn joined_room(&self, out: &mut Writer, room: &JoinedRoom) {
        out.open();
        if let Some(summary) = &room.summary {
            out.summary(summary);
        }
        // Where it was asked for, `state_after` is there even if it is empty: it tells the client that the server knows it.
        if self.state_at != StateAt::Start || !room.state.is_empty() {
            out.state(self.state_at, &room.state);
        }
        if !room.timeline.events.is_empty() || room.timeline.limited {
            out.timeline(&room.timeline);
        }
        out.events("ephemeral", &room.ephemeral);
        out.events("account_data", &room.account_data);
        if let Some(unread) = &room.unread {
            out.unread(unread);
        }
        out.close();
    }

    fn left_room(&self, out: &mut Writer, room: &LeftRoom) {
        out.open();
        // Always there: matrix-nio refuses an answer in which a room that was left is without them.
        out.state(self.state_at, &room.state);
        out.timeline(&room.timeline);
        out.events("account_data", &room.account_data);
        out.close();
    }
}

/// JSON text that is being written.
struct Writer {
    out: String,
    /// Whether the object that is open has no member yet.
    first: bool,
}

impl Writer {
    fn open(&mut self) {
        self.out.push('{');
        self.first = true;
    }

    fn close(&mut self) {
        self.out.push('}');
        self.first = false;
    }

    fn key(&mut self, key: &str) {
        if !std::mem::take(&mut self.first) {
            self.out.push(',');
        }
        write_string(&mut self.out, key);
        self.out.push(':');
    }

    fn number(&mut self, key: &str, value: u64) {
        self.key(key);
        self.out.push_str(&value.to_string());
    }

    fn list(&mut self, key: &str, items: &[impl AsRef<str>]) {
        self.key(key);
        self.out.push('[');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            self.out.push_str(item.as_ref());
        }
        self.out.push(']');
    }

    /// `{"events": …}` under a key, if there are any.
    fn events(&mut self, key: &str, events: &[impl AsRef<str>]) {
        if !events.is_empty() {
            self.all_events(key, events);
        }
    }

    fn all_events(&mut self, key: &str, events: &[impl AsRef<str>]) {
        self.key(key);
        self.open();
        self.list("events", events);
        self.close();
    }

    fn stripped(&mut self, key: &str, events: &[String]) {
        self.open();
        self.all_events(key, events);
        self.close();
    }

    fn rooms<T>(
        &mut self,
        key: &str,
        rooms: &BTreeMap<OwnedRoomId, T>,
        mut write: impl FnMut(&mut Self, &T),
    ) {
        if rooms.is_empty() {
            return;
        }
        self.key(key);
        self.open();
        for (id, room) in rooms {
            self.key(id.as_str());
            write(self, room);
        }
        self.close();
    }

    fn state(&mut self, at: StateAt, events: &[String]) {
        match at {
            StateAt::Start => self.all_events("state", events),
            StateAt::End => self.all_events("state_after", events),
            StateAt::EndUnstable => self.all_events("org.matrix.msc4222.state_after", events),
        }
    }

    fn timeline(&mut self, timeline: &Timeline) {
        self.key("timeline");
        self.open();
        self.list("events", &timeline.events);
        self.key("limited");
        self.out.push_str(if timeline.limited { "true" } else { "false" });
        if let Some(token) = &timeline.prev_batch {
            self.key("prev_batch");
            write_string(&mut self.out, token);
        }
        self.close();
    }

    fn unread(&mut self, unread: &UnreadNotifications) {
        match unread {
            UnreadNotifications::InRoom(counts) => self.counts("unread_notifications", *counts),
            UnreadNotifications::ByThread(counts) => {
                self.counts("unread_notifications", counts.main);
                if !counts.threads.is_empty() {
                    self.key("unread_thread_notifications");
                    self.open();
                    for (root, counts) in &counts.threads {
                        self.counts(root.as_str(), *counts);
                    }
                    self.close();
                }
            }
        }
    }

    fn counts(&mut self, key: &str, counts: Counts) {
        self.key(key);
        self.open();
        self.number("highlight_count", counts.highlight_count);
        self.number("notification_count", counts.notification_count);
        self.close();
    }

    fn summary(&mut self, summary: &Summary) {
        self.key("summary");
        self.open();
        if let Some(heroes) = &summary.heroes {
            let heroes: Vec<String> = heroes
                .iter()
                .map(|hero| {
                    let mut text = String::new();
                    write_string(&mut text, hero.as_str());
                    text
                })
                .collect();
            self.list("m.heroes", &heroes);
        }
        self.number("m.invited_member_count", summary.invited);
        self.number("m.joined_member_count", summary.joined);
        self.close();
    }
}
