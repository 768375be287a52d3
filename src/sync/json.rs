//! The JSON text of an answer.
//!
//! Owns: [`Writer`]. Does not own: what is written when ([`crate::answer`]).
//!
//! Invariants: events are JSON texts that were made before; they are spliced in and never parsed. What is empty is left out, so that an answer without
//! news is a token and no more.

use plop_state::json::write_string;
use plop_unread::Counts;
use ruma::{OwnedUserId, RoomId};

use crate::request::StateAt;
use crate::response::{JoinedRoom, LeftRoom, Summary, Timeline, UnreadNotifications};

/// The key of a room's state.
pub fn state_key(at: StateAt) -> &'static str {
    match at {
        StateAt::Start => "state",
        StateAt::End => "state_after",
        StateAt::EndUnstable => "org.matrix.msc4222.state_after",
    }
}

/// JSON text that is being written, member by member.
#[derive(Default)]
pub struct Writer {
    out: String,
    /// Whether the object or list that is open has nothing in it yet.
    first: bool,
    /// The part of the rooms that is open.
    section: Option<&'static str>,
}

impl Writer {
    /// What has been written since the last time.
    pub fn take(&mut self) -> String {
        std::mem::take(&mut self.out)
    }

    /// Bytes since the last time.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    pub fn open(&mut self) {
        self.out.push('{');
        self.first = true;
    }

    pub fn close(&mut self) {
        self.out.push('}');
        self.first = false;
    }

    pub fn text(&mut self, key: &str, text: &str) {
        self.key(key);
        write_string(&mut self.out, text);
    }

    /// `{"events": …}` under a key, if there are any.
    pub fn events(&mut self, key: &str, events: &[impl AsRef<str>]) {
        if !events.is_empty() {
            self.all_events(key, events);
        }
    }

    /// The same, also without any.
    pub fn all_events(&mut self, key: &str, events: &[impl AsRef<str>]) {
        self.open_events(key);
        self.items(events);
        self.close_events();
    }

    /// Opens the events under a key; [`Writer::items`] adds some.
    pub fn open_events(&mut self, key: &str) {
        self.key(key);
        self.open();
        self.open_list("events");
    }

    pub fn close_events(&mut self) {
        self.close_list();
        self.close();
    }

    /// Some more of a list of JSON texts.
    pub fn items(&mut self, items: &[impl AsRef<str>]) {
        for item in items {
            self.separate();
            self.out.push_str(item.as_ref());
        }
    }

    /// Opens a room. The rooms of a section come one after the other.
    pub fn open_room(&mut self, section: &'static str, id: &RoomId) {
        if self.section != Some(section) {
            match self.section {
                Some(_) => self.close(),
                None => {
                    self.key("rooms");
                    self.open();
                }
            }
            self.key(section);
            self.open();
            self.section = Some(section);
        }
        self.key(id.as_str());
        self.open();
    }

    /// After the last room, if there was any.
    pub fn close_rooms(&mut self) {
        if self.section.take().is_some() {
            self.close();
            self.close();
        }
    }

    /// A joined room but for its state.
    pub fn joined(&mut self, room: &JoinedRoom) {
        if let Some(summary) = &room.summary {
            self.summary(summary);
        }
        if !room.timeline.events.is_empty() || room.timeline.limited {
            self.timeline(&room.timeline);
        }
        self.events("ephemeral", &room.ephemeral);
        self.events("account_data", &room.account_data);
        if let Some(unread) = &room.unread {
            self.unread(unread);
        }
    }

    /// A room that was left but for its state. Its timeline is always there: matrix-nio refuses an answer in which it is not.
    pub fn left(&mut self, room: &LeftRoom) {
        self.timeline(&room.timeline);
        self.events("account_data", &room.account_data);
    }

    fn key(&mut self, key: &str) {
        self.separate();
        write_string(&mut self.out, key);
        self.out.push(':');
    }

    fn separate(&mut self) {
        if !std::mem::take(&mut self.first) {
            self.out.push(',');
        }
    }

    fn number(&mut self, key: &str, value: u64) {
        self.key(key);
        self.out.push_str(&value.to_string());
    }

    fn open_list(&mut self, key: &str) {
        self.key(key);
        self.out.push('[');
        self.first = true;
    }

    fn close_list(&mut self) {
        self.out.push(']');
        self.first = false;
    }

    fn timeline(&mut self, timeline: &Timeline) {
        self.key("timeline");
        self.open();
        self.open_list("events");
        self.items(&timeline.events);
        self.close_list();
        self.key("limited");
        self.out.push_str(if timeline.limited { "true" } else { "false" });
        if let Some(token) = &timeline.prev_batch {
            self.text("prev_batch", token);
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
            self.open_list("m.heroes");
            heroes.iter().for_each(|hero| self.quoted(hero));
            self.close_list();
        }
        self.number("m.invited_member_count", summary.invited);
        self.number("m.joined_member_count", summary.joined);
        self.close();
    }

    fn quoted(&mut self, user: &OwnedUserId) {
        self.separate();
        write_string(&mut self.out, user.as_str());
    }
}
