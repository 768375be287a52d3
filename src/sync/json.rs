//! The JSON text of an answer.
//!
//! Owns: [`Writer`]. Does not own: what is written when ([`crate::answer`]).
//!
//! Invariants: events are JSON texts that were made before; they are spliced in and never parsed. What is empty is left out, so that an answer without
//! news is a token and the counts of the device's keys, which clients take as they stand.

use plop_state::json::TextWriter;
use plop_unread::Counts;
use ruma::RoomId;

use crate::key_counts::{one_time_text, unused_fallback_text};
use crate::request::StateAt;
use crate::response::{Encryption, JoinedRoom, LeftRoom, RoomTimeline, Summary, UnreadNotifications};

/// The key of a room's state.
pub fn state_key(at: StateAt) -> &'static str {
    match at {
        StateAt::Start => "state",
        StateAt::End => "state_after",
        StateAt::EndUnstable => "org.matrix.msc4222.state_after",
    }
}

/// Device lists, if there is anything, and what is left of the device's keys.
pub fn write_encryption(out: &mut TextWriter, encryption: &Encryption) {
    let Encryption { device_lists: lists, key_count } = encryption;
    if !lists.is_empty() {
        out.key("device_lists");
        out.object();
        for (key, users) in [("changed", &lists.changed), ("left", &lists.left)] {
            out.key(key);
            out.list();
            users.iter().for_each(|user| out.string(user.as_str()));
            out.close();
        }
        out.close();
    }
    if let Some(count) = key_count {
        out.key("device_one_time_keys_count");
        out.text(&one_time_text(count));
        out.key("device_unused_fallback_key_types");
        out.text(&unused_fallback_text(count));
    }
}

/// The text of an answer that is being written.
#[derive(Default)]
pub struct Writer {
    out: TextWriter,
    /// The part of the rooms that is open.
    section: Option<&'static str>,
}

impl Writer {
    /// What has been written since the last time.
    pub fn take(&mut self) -> String {
        self.out.take()
    }

    /// Bytes since the last time.
    pub fn bytes(&self) -> usize {
        self.out.bytes()
    }

    pub fn open(&mut self) {
        self.out.object();
    }

    pub fn close(&mut self) {
        self.out.close();
    }

    pub fn text(&mut self, key: &str, text: &str) {
        self.out.key(key);
        self.out.string(text);
    }

    /// What concerns encryption.
    pub fn encryption(&mut self, encryption: &Encryption) {
        write_encryption(&mut self.out, encryption);
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
        self.member(key);
        self.out.key("events");
        self.out.list();
    }

    pub fn close_events(&mut self) {
        self.out.close();
        self.out.close();
    }

    /// Some more of a list of JSON texts.
    pub fn items(&mut self, items: &[impl AsRef<str>]) {
        items.iter().for_each(|item| self.out.text(item.as_ref()));
    }

    /// Opens a room. The rooms of a section come one after the other.
    pub fn open_room(&mut self, section: &'static str, id: &RoomId) {
        if self.section != Some(section) {
            match self.section {
                Some(_) => self.out.close(),
                None => self.member("rooms"),
            }
            self.member(section);
            self.section = Some(section);
        }
        self.member(id.as_str());
    }

    /// After the last room, if there was any.
    pub fn close_rooms(&mut self) {
        if self.section.take().is_some() {
            self.out.close();
            self.out.close();
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

    /// Opens an object under a key.
    fn member(&mut self, key: &str) {
        self.out.key(key);
        self.out.object();
    }

    fn number(&mut self, key: &str, value: u64) {
        self.out.key(key);
        self.out.number(value);
    }

    fn timeline(&mut self, timeline: &RoomTimeline) {
        self.member("timeline");
        self.out.key("events");
        self.out.texts(&timeline.events);
        self.out.key("limited");
        self.out.boolean(timeline.limited);
        if let Some(token) = &timeline.prev_batch {
            self.text("prev_batch", token);
        }
        self.out.close();
    }

    fn unread(&mut self, unread: &UnreadNotifications) {
        match unread {
            UnreadNotifications::InRoom(counts) => self.counts("unread_notifications", *counts),
            UnreadNotifications::ByThread(counts) => {
                self.counts("unread_notifications", counts.main);
                if !counts.threads.is_empty() {
                    self.member("unread_thread_notifications");
                    for (root, counts) in &counts.threads {
                        self.counts(root.as_str(), *counts);
                    }
                    self.out.close();
                }
            }
        }
    }

    fn counts(&mut self, key: &str, counts: Counts) {
        self.member(key);
        self.number("highlight_count", counts.highlight_count);
        self.number("notification_count", counts.notification_count);
        self.out.close();
    }

    fn summary(&mut self, summary: &Summary) {
        self.member("summary");
        if let Some(heroes) = &summary.heroes {
            self.out.key("m.heroes");
            self.out.list();
            heroes.iter().for_each(|hero| self.out.string(hero.as_str()));
            self.out.close();
        }
        self.number("m.invited_member_count", summary.invited);
        self.number("m.joined_member_count", summary.joined);
        self.out.close();
    }
}
