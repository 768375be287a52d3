//! Which events a client wants (client-server API, "Filtering"): the part of a filter that chooses events.
//!
//! Owns: [`EventFilter`], made ready to match. Does not own: where filters are kept, what else is in them.
//!
//! Invariants: matching costs one look-up and a bounded number of patterns, each passed over the type once, whatever the filter holds.

use std::collections::BTreeSet;

use plop_state::Pdu;
use plop_state::json::members;
use plop_state::relation::Relation;
use ruma::api::client::filter::{Filter, LazyLoadOptions, RoomEventFilter, UrlFilter};
use ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId};

/// Types with a wildcard in one list. Clients have a handful.
pub const MAX_PATTERNS: usize = 64;

/// A filter that costs too much to match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more than {MAX_PATTERNS} types with wildcards in one list")]
pub struct TooManyPatterns;

/// What is kept of events.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    types: Option<Types>,
    not_types: Types,
    senders: Option<BTreeSet<OwnedUserId>>,
    not_senders: BTreeSet<OwnedUserId>,
    rooms: Option<BTreeSet<OwnedRoomId>>,
    not_rooms: BTreeSet<OwnedRoomId>,
    url: Option<UrlFilter>,
    rel_types: Option<BTreeSet<String>>,
    not_rel_types: BTreeSet<String>,
    /// Events at most, if the client says so.
    pub limit: Option<u64>,
    /// Whether member events come only with the events that need them.
    pub lazy_load: LazyLoadOptions,
    /// Whether unread counts are given for each thread.
    pub unread_by_thread: bool,
}

impl EventFilter {
    /// The filter of events in rooms.
    pub fn of_room_events(filter: &RoomEventFilter) -> Result<Self, TooManyPatterns> {
        Ok(Self {
            types: filter.types.as_deref().map(Types::new).transpose()?,
            not_types: Types::new(&filter.not_types)?,
            senders: filter.senders.as_ref().map(|senders| senders.iter().cloned().collect()),
            not_senders: filter.not_senders.iter().cloned().collect(),
            rooms: filter.rooms.as_ref().map(|rooms| rooms.iter().cloned().collect()),
            not_rooms: filter.not_rooms.iter().cloned().collect(),
            url: filter.url_filter,
            rel_types: None,
            not_rel_types: BTreeSet::new(),
            limit: filter.limit.map(u64::from),
            lazy_load: filter.lazy_load_options,
            unread_by_thread: filter.unread_thread_notifications,
        })
    }

    /// The same, of events that relate, or do not relate, to others in certain ways (MSC3874).
    #[must_use]
    pub fn of_relations(self, rel_types: Option<Vec<String>>, not_rel_types: Vec<String>) -> Self {
        let rel_types = rel_types.map(|types| types.into_iter().collect());
        Self { rel_types, not_rel_types: not_rel_types.into_iter().collect(), ..self }
    }

    /// The filter of events outside of rooms.
    pub fn of_events(filter: &Filter) -> Result<Self, TooManyPatterns> {
        Ok(Self {
            types: filter.types.as_deref().map(Types::new).transpose()?,
            not_types: Types::new(&filter.not_types)?,
            senders: filter.senders.as_ref().map(|senders| senders.iter().cloned().collect()),
            not_senders: filter.not_senders.iter().cloned().collect(),
            limit: filter.limit.map(u64::from),
            ..Self::default()
        })
    }

    /// Whether an event of a room that the filter lets in is kept.
    pub fn keeps(&self, event: &Pdu) -> bool {
        self.keeps_type(event.type_name())
            && self.keeps_sender(event.sender())
            && self.url.is_none_or(|wanted| (wanted == UrlFilter::EventsWithUrl) == has_url(event))
            && self.keeps_relation(event)
    }

    fn keeps_relation(&self, event: &Pdu) -> bool {
        if self.rel_types.is_none() && self.not_rel_types.is_empty() {
            return true;
        }
        let rel_type = Relation::of(event).map(|relation| relation.rel_type);
        let is_in = |types: &BTreeSet<String>| rel_type.as_ref().is_some_and(|found| types.contains(found));
        self.rel_types.as_ref().is_none_or(is_in) && !is_in(&self.not_rel_types)
    }

    /// Whether something of this type is kept, for what is no event of a room's history.
    pub fn keeps_type(&self, kind: &str) -> bool {
        self.types.as_ref().is_none_or(|types| types.contain(kind)) && !self.not_types.contain(kind)
    }

    /// Whether something of this type that nobody in particular sends is kept: account data, typing, receipts.
    pub fn keeps_unsent(&self, kind: &str) -> bool {
        self.senders.is_none() && self.keeps_type(kind)
    }

    /// Whether something of this sender is kept.
    pub fn keeps_sender(&self, sender: &UserId) -> bool {
        self.senders.as_ref().is_none_or(|senders| senders.contains(sender))
            && !self.not_senders.contains(sender)
    }

    /// Whether anything of a room is kept.
    pub fn keeps_room(&self, room: &RoomId) -> bool {
        self.rooms.as_ref().is_none_or(|rooms| rooms.contains(room)) && !self.not_rooms.contains(room)
    }
}

/// Whether the content has a `url`.
fn has_url(event: &Pdu) -> bool {
    members(event.content_text()).is_some_and(|content| content.get("url").is_some())
}

/// A list of types.
#[derive(Debug, Clone, Default)]
struct Types {
    exact: BTreeSet<Box<str>>,
    patterns: Vec<Box<str>>,
}

impl Types {
    fn new(types: &[String]) -> Result<Self, TooManyPatterns> {
        let (patterns, exact): (Vec<&String>, Vec<&String>) =
            types.iter().partition(|kind| kind.contains('*'));
        if patterns.len() > MAX_PATTERNS {
            return Err(TooManyPatterns);
        }
        let boxed = |kind: &String| kind.as_str().into();
        Ok(Self {
            exact: exact.into_iter().map(boxed).collect(),
            patterns: patterns.into_iter().map(boxed).collect(),
        })
    }

    fn contain(&self, kind: &str) -> bool {
        self.exact.contains(kind) || self.patterns.iter().any(|pattern| matches(pattern, kind))
    }
}

/// Whether a text fits a pattern in which `*` stands for any characters. Of each piece between two stars the first place is as good as
/// any, so nothing is tried twice.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut pieces = rest.split('*').peekable();
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return text.ends_with(piece);
        }
        match text.split_once(piece) {
            Some((_, after)) => text = after,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        let cases = [
            ("m.room.*", "m.room.message", true),
            ("m.room.*", "m.room.", true),
            ("m.room.*", "m.rooms", false),
            ("*", "", true),
            ("*", "anything", true),
            ("**", "anything", true),
            ("*.message", "m.room.message", true),
            ("*.message", "m.room.message.x", false),
            ("m.*.*ber", "m.room.member", true),
            ("m.*x*ber", "m.room.member", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("*ab*ab*", "abab", true),
            ("*ab*ab*", "aba", false),
            ("m.room.message", "m.room.message", true),
            ("", "m", false),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    /// Hostile input, row 140.
    #[test]
    fn patterns_are_bounded_and_linear() {
        let many = vec!["m.*".to_owned(); MAX_PATTERNS + 1];
        assert_eq!(Types::new(&many).err(), Some(TooManyPatterns));
        let stars = format!("{}b", "a*".repeat(100_000));
        assert!(!matches(&stars, &"a".repeat(200_000)));
    }
}
