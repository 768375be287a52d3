//! The JSON text of an answer, in either dialect.
//!
//! Owns: the names of members and which of them a dialect has. Does not own: what is written when ([`super::answer`]).
//!
//! Invariants: events are JSON texts that were made before; they are spliced in and never parsed.

use std::collections::BTreeMap;

use plop_accounts::schema::ThreadWish;
use plop_accounts::thread_subscriptions::{ThreadSubscription, ThreadSubscriptionsPage};
use plop_state::json::TextWriter;
use ruma::RoomId;

use super::request::Dialect;
use super::required::Hero;
use super::room::{Composed, Timeline};

/// The text of an answer that is being written.
pub struct Writer {
    pub out: TextWriter,
    pub dialect: Dialect,
}

impl Writer {
    pub fn new(dialect: Dialect) -> Self {
        Self { out: TextWriter::new(), dialect }
    }

    /// Opens an object under a key.
    pub fn member(&mut self, key: &str) {
        self.out.key(key);
        self.out.object();
    }

    pub fn text(&mut self, key: &str, text: &str) {
        self.out.key(key);
        self.out.string(text);
    }

    pub fn number(&mut self, key: &str, value: u64) {
        self.out.key(key);
        self.out.number(value);
    }

    fn flag(&mut self, key: &str) {
        self.out.key(key);
        self.out.boolean(true);
    }

    pub fn texts(&mut self, key: &str, texts: &[impl AsRef<str>]) {
        self.out.key(key);
        self.out.texts(texts);
    }

    /// A room but for its state.
    pub fn room(&mut self, room: &Composed, lists: &[&str]) {
        let is_accepted = self.dialect == Dialect::Accepted;
        if room.is_initial {
            self.flag("initial");
        }
        if let Some(membership) = room.membership.filter(|_| is_accepted) {
            self.text("membership", membership.as_str());
        }
        if is_accepted && !lists.is_empty() {
            self.texts_of("lists", lists);
        }
        self.named(room);
        if let Some(is_dm) = room.is_dm.filter(|is_dm| *is_dm || !room.is_initial) {
            self.out.key("is_dm");
            self.out.boolean(is_dm);
        }
        if let Some(events) = &room.stripped {
            self.texts(if is_accepted { "stripped_state" } else { "invite_state" }, events);
        }
        if let Some((joined, invited)) = room.counts {
            self.number("joined_count", joined);
            self.number("invited_count", invited);
        }
        if let Some(unread) = room.unread.filter(|_| !is_accepted) {
            self.number("notification_count", unread.notification_count);
            self.number("highlight_count", unread.highlight_count);
        }
        if let Some(stamp) = room.bump_stamp {
            self.number("bump_stamp", stamp);
        }
        if let Some(timeline) = &room.timeline {
            self.timeline(timeline);
        }
    }

    fn texts_of(&mut self, key: &str, texts: &[&str]) {
        self.out.key(key);
        self.out.list();
        texts.iter().for_each(|text| self.out.string(text));
        self.out.close();
    }

    /// What the room is called, and by whom.
    fn named(&mut self, room: &Composed) {
        match &room.name {
            Some(Some(name)) => self.text("name", name),
            // The deployed dialect has no way to say that a name is gone but the state event.
            Some(None) if self.dialect == Dialect::Accepted && !room.is_initial => {
                self.out.key("name");
                self.out.string_or_null(None);
            }
            _ => {}
        }
        match &room.avatar {
            Some(Some(avatar)) => self.text("avatar", avatar),
            Some(None) if !room.is_initial => {
                self.out.key("avatar");
                self.out.string_or_null(None);
            }
            _ => {}
        }
        if let Some(heroes) = &room.heroes {
            self.out.key("heroes");
            self.out.list();
            heroes.iter().for_each(|hero| self.hero(hero));
            self.out.close();
        }
    }

    fn hero(&mut self, hero: &Hero) {
        self.out.object();
        self.text("user_id", hero.user.as_str());
        if let Some(name) = &hero.displayname {
            self.text("displayname", name);
        }
        if let Some(avatar) = &hero.avatar_url {
            self.text("avatar_url", avatar);
        }
        self.out.close();
    }

    fn timeline(&mut self, timeline: &Timeline) {
        let is_accepted = self.dialect == Dialect::Accepted;
        if timeline.is_expanded {
            self.flag(if is_accepted { "expanded_timeline" } else { "unstable_expanded_timeline" });
        }
        self.texts(if is_accepted { "timeline_events" } else { "timeline" }, &timeline.events);
        self.out.key("limited");
        self.out.boolean(timeline.limited);
        if let Some(token) = &timeline.prev_batch {
            self.text("prev_batch", token);
        }
        self.number("num_live", timeline.live as u64);
    }

    /// The extension of thread subscriptions, if anything changed of them. Its name is the same in both dialects while the proposal (MSC4308) is open.
    pub fn thread_subscriptions(&mut self, page: &ThreadSubscriptionsPage) {
        if page.items.is_empty() {
            return;
        }
        self.member("io.element.msc4308.thread_subscriptions");
        let (ended, begun): (Vec<_>, Vec<_>) =
            page.items.iter().partition(|item| item.wish == ThreadWish::Unsubscribed);
        self.threads("subscribed", &begun);
        self.threads("unsubscribed", &ended);
        if let Some(next) = page.next {
            self.text("prev_batch", &next.to_string());
        }
        self.out.close();
    }

    /// Threads of the same wish, by room.
    fn threads(&mut self, key: &str, threads: &[&ThreadSubscription]) {
        if threads.is_empty() {
            return;
        }
        let mut by_room: BTreeMap<&RoomId, Vec<&ThreadSubscription>> = BTreeMap::new();
        threads.iter().for_each(|thread| by_room.entry(&thread.room).or_default().push(thread));
        self.member(key);
        for (room, threads) in by_room {
            self.member(room.as_str());
            for thread in threads {
                self.member(thread.root.as_str());
                if thread.wish != ThreadWish::Unsubscribed {
                    self.out.key("automatic");
                    self.out.boolean(thread.wish == ThreadWish::Automatic);
                }
                self.number("bump_stamp", thread.bump_stamp);
                self.out.close();
            }
            self.out.close();
        }
        self.out.close();
    }

    /// Entries that are in the state no more. Only the accepted dialect can say that.
    pub fn gone(&mut self, gone: &[(String, String)]) {
        if self.dialect == Dialect::Deployed {
            return;
        }
        for (kind, key) in gone {
            self.out.object();
            self.text("state_key", key);
            self.text("type", kind);
            self.out.close();
        }
    }
}
