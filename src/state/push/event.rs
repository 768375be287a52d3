//! [`PushEvent`], an event read once for the rules of all its readers.
//!
//! Owns: dot-separated property paths (appendices, "Dot-separated property paths"). The tree is walked instead of
//! flattened: a flattened event repeats a long key for each leaf below it.

use crate::json::{Object, Value};
use crate::pdu::Pdu;

/// An event as push rules see it: as clients get it, without `unsigned`.
#[derive(Debug, Clone)]
pub struct PushEvent {
    event: Pdu,
    properties: Value,
}

impl PushEvent {
    /// Reads the event. Linear in its size.
    pub fn new(event: &Pdu) -> Self {
        let mut properties = Object::from([
            ("content".to_owned(), Value::Object(event.content_object())),
            ("event_id".to_owned(), event.event_id().as_str().into()),
            ("room_id".to_owned(), event.room_id().as_str().into()),
            ("sender".to_owned(), event.sender().as_str().into()),
            ("type".to_owned(), event.type_name().into()),
        ]);
        if let Ok(time) = i64::try_from(u64::from(event.origin_server_ts().get())) {
            properties.insert("origin_server_ts".to_owned(), Value::Int(time));
        }
        if let Some(state_key) = event.state_key() {
            properties.insert("state_key".to_owned(), state_key.into());
        }
        Self { event: event.clone(), properties: Value::Object(properties) }
    }

    /// The event itself.
    pub fn event(&self) -> &Pdu {
        &self.event
    }

    /// The property at a path such as `content.m\.relates_to.rel_type`.
    pub fn property(&self, path: &str) -> Option<&Value> {
        let mut value = &self.properties;
        let mut name = String::new();
        let mut characters = path.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '.' => {
                    value = value.get(&name)?;
                    name.clear();
                }
                // Any other escape is left as it is.
                '\\' => name.push(characters.next_if(|next| matches!(next, '.' | '\\')).unwrap_or('\\')),
                other => name.push(other),
            }
        }
        value.get(&name)
    }

    /// The string at a path.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.property(path)?.as_str()
    }
}
