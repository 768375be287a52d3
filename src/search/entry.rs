//! What of an event can be searched.
//!
//! Owns: [`Entry`], and which texts of which events these are (client-server API, "Server Side Search"). Does not own: how they are stored.
//!
//! Invariant: a redacted event has no entry.

use plop_db::Position;
use plop_rooms::RoomEvent;
use plop_state::json::{Object, Value};
use plop_state_store::{EventNumber, RoomNumber};

/// The keys that may be searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// `content.body` of `m.room.message`.
    Body,
    /// `content.name` of `m.room.name`.
    Name,
    /// `content.topic` of `m.room.topic`, and its plain text form in `m.topic`.
    Topic,
}

impl Key {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Body, Self::Name, Self::Topic];

    /// The type of the events that have it.
    pub fn event_type(self) -> &'static str {
        match self {
            Self::Body => "m.room.message",
            Self::Name => "m.room.name",
            Self::Topic => "m.room.topic",
        }
    }

    /// As the index stores it: for ever.
    pub(crate) fn number(self) -> u64 {
        match self {
            Self::Body => 0,
            Self::Name => 1,
            Self::Topic => 2,
        }
    }
}

/// An event of the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub room: RoomNumber,
    pub event: EventNumber,
    /// In the live stream.
    pub position: Position,
    pub sender: String,
    pub key: Key,
    pub text: String,
    pub has_url: bool,
}

impl Entry {
    /// The entry of an event at a place in the live stream of its room; `None` for one in which there is nothing to be found.
    pub fn of(room: RoomNumber, position: Position, event: &RoomEvent) -> Option<Self> {
        let (key, text) = text(event)?;
        let has_url = event.pdu.content_object().contains_key("url");
        let sender = event.pdu.sender().to_string();
        Some(Self { room, event: event.number, position, sender, key, text, has_url })
    }
}

/// What can be searched of an event.
pub(crate) fn text(event: &RoomEvent) -> Option<(Key, String)> {
    if event.facts.redacted_by.is_some() {
        return None;
    }
    let kind = event.pdu.type_name();
    let key = Key::ALL.into_iter().find(|key| key.event_type() == kind)?;
    // Messages are no state, names and topics nothing else.
    if (key == Key::Body) != event.pdu.state_key().is_none() {
        return None;
    }
    let content = event.pdu.content_object();
    let string = |name: &str| content.get(name).and_then(Value::as_str);
    let text = match key {
        Key::Body => string("body")?.to_owned(),
        Key::Name => string("name")?.to_owned(),
        Key::Topic => {
            let texts: Vec<&str> = string("topic").into_iter().chain(plain_topic(&content)).collect();
            texts.join("\n")
        }
    };
    (!text.is_empty()).then_some((key, text))
}

/// The plain text of a topic with several forms; one without a type is plain.
fn plain_topic(content: &Object) -> Option<&str> {
    let forms = content.get("m.topic")?.get("m.text")?.as_array()?;
    let is_plain =
        |form: &&Value| form.get("mimetype").is_none_or(|kind| kind.as_str() == Some("text/plain"));
    let plain = forms.iter().find(is_plain)?.get("body")?.as_str()?;
    // Most servers have the same text in both places.
    (content.get("topic").and_then(Value::as_str) != Some(plain)).then_some(plain)
}
