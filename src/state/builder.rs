//! Our own events: [`EventBuilder`].
//!
//! Owns: putting the members together, hash, signature and id, and the size limits that our own clients run into.
//!
//! Does not own: which previous and auth events are right, time and randomness: they are given.

use std::collections::BTreeMap;

use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, room_version_rules::EventsReferenceFormatVersion};
use thiserror::Error;

use crate::{
    json::{Object, Value, canonical_object, members},
    pdu::{FormatError, Pdu, content_hash},
    sign::{SigningKey, sign_event},
    unpadded_base64,
    version::Rules,
};

/// What an event is made of.
#[derive(Debug, Clone)]
pub struct EventBuilder {
    /// The room; `None` for a create event in a version where its id becomes the room's (version 12).
    pub room_id: Option<OwnedRoomId>,
    /// The event type.
    pub kind: String,
    /// The state key of a state event.
    pub state_key: Option<String>,
    /// Who sends it.
    pub sender: OwnedUserId,
    /// The content, parsed under the version's number rule.
    pub content: Object,
    /// The forward extremities that it follows, at most 20.
    pub prev_events: Vec<OwnedEventId>,
    /// The events that authorise it, at most 10.
    pub auth_events: Vec<OwnedEventId>,
    /// One more than the greatest depth of the previous events; cut to what the version allows.
    pub depth: u64,
    /// The time, in milliseconds since 1970.
    pub origin_server_ts: u64,
    /// What a redaction redacts; put where the version wants it.
    pub redacts: Option<OwnedEventId>,
    /// The id, in versions where an event chooses it (1 and 2).
    pub event_id: Option<OwnedEventId>,
    /// In versions 1 and 2, reference hashes of previous and auth events, in unpadded base64. A missing one leaves its
    /// place empty; nobody reads it.
    pub reference_hashes: BTreeMap<OwnedEventId, String>,
}

/// Why an event cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BuildError {
    /// It would be larger than 65,536 bytes.
    #[error("{0} bytes")]
    TooLarge(usize),
    /// It would not be an event of its version.
    #[error(transparent)]
    Format(FormatError),
    /// `event_id` is given in a version that computes it, or missing in one that does not.
    #[error("the version decides where the event id comes from")]
    EventId,
}

impl EventBuilder {
    /// An event without state key, parents, depth and time.
    pub fn new(
        room_id: Option<OwnedRoomId>,
        kind: impl Into<String>,
        sender: OwnedUserId,
        content: Object,
    ) -> Self {
        Self {
            room_id,
            kind: kind.into(),
            state_key: None,
            sender,
            content,
            prev_events: Vec::new(),
            auth_events: Vec::new(),
            depth: 1,
            origin_server_ts: 0,
            redacts: None,
            event_id: None,
            reference_hashes: BTreeMap::new(),
        }
    }

    /// Makes the event: content hash, our signature, id, and the same checks that an event from elsewhere passes.
    pub fn build(self, rules: &Rules, key: &SigningKey) -> Result<Pdu, BuildError> {
        if self.event_id.is_some() != rules.spec.event_format.require_event_id {
            return Err(BuildError::EventId);
        }
        let mut event = self.members(rules);
        // Canonical text of an object can always be taken apart.
        let hash = content_hash(&members(&canonical_object(&event, &[])).unwrap_or_default());
        event.insert("hashes".to_owned(), object([("sha256", unpadded_base64::encode(&hash).into())]));
        let signature = sign_event(&members(&canonical_object(&event, &[])).unwrap_or_default(), key, rules);
        let ours = object([(key.id(), signature.into())]);
        event.insert("signatures".to_owned(), object([(key.server().as_str(), ours)]));
        Pdu::from_object(&event, rules).map_err(|error| match error {
            FormatError::TooLarge(size) => BuildError::TooLarge(size),
            error => BuildError::Format(error),
        })
    }

    fn members(mut self, rules: &Rules) -> Object {
        let mut event = Object::new();
        let mut set = |name: &str, value: Value| event.insert(name.to_owned(), value);
        set("auth_events", self.references(&self.auth_events, rules));
        set("prev_events", self.references(&self.prev_events, rules));
        set("depth", int(self.depth.min(rules.max_depth)));
        set("origin_server_ts", int(self.origin_server_ts));
        if let Some(id) = self.event_id {
            set("event_id", id.as_str().into());
        }
        if let Some(room_id) = self.room_id {
            set("room_id", room_id.as_str().into());
        }
        if let Some(target) = self.redacts {
            if rules.spec.redaction.content_field_redacts {
                self.content.insert("redacts".to_owned(), target.as_str().into());
            } else {
                set("redacts", target.as_str().into());
            }
        }
        if let Some(state_key) = self.state_key {
            set("state_key", state_key.into());
        }
        set("content", self.content.into());
        set("sender", self.sender.as_str().into());
        set("type", self.kind.into());
        event
    }

    fn references(&self, ids: &[OwnedEventId], rules: &Rules) -> Value {
        let reference = |id: &OwnedEventId| match rules.spec.events_reference_format {
            EventsReferenceFormatVersion::V1 => {
                let hash = self.reference_hashes.get(id);
                let hashes = object(hash.map(|hash| ("sha256", hash.as_str().into())));
                Value::Array(vec![id.as_str().into(), hashes])
            }
            _ => id.as_str().into(),
        };
        Value::Array(ids.iter().map(reference).collect())
    }
}

fn object<'a>(members: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// An integer; what does not fit is refused by the event format.
fn int(value: u64) -> Value {
    i64::try_from(value).map_or_else(|_| Value::Number(value.to_string().into()), Value::Int)
}

#[cfg(test)]
mod tests;
