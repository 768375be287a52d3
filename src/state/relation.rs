//! What an event relates to (client-server API, "Forming relationships between events").
//!
//! Owns: reading `m.relates_to`. Does not own: whether the relation is allowed, what is aggregated of it.
//!
//! Invariants: what does not match the schema is no relation.

use ruma::{EventId, OwnedEventId};

use crate::json::{Object, Value};
use crate::pdu::Pdu;

/// A relation with a type. A rich reply alone (`m.in_reply_to`) is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    pub rel_type: String,
    pub event: OwnedEventId,
    /// What an annotation says.
    pub key: Option<String>,
}

impl Relation {
    /// The relation of an event.
    pub fn of(event: &Pdu) -> Option<Self> {
        // Canonical JSON has one way to write the key, so most events are not parsed again.
        if !event.content_text().contains("\"m.relates_to\"") {
            return None;
        }
        Self::in_content(&event.content_object())
    }

    /// The relation of an event with this content.
    pub fn in_content(content: &Object) -> Option<Self> {
        let relation = content.get("m.relates_to")?;
        let rel_type = relation.get("rel_type").and_then(Value::as_str)?;
        let parent = relation.get("event_id").and_then(Value::as_str)?;
        let key = relation.get("key").and_then(Value::as_str).map(ToOwned::to_owned);
        Some(Self { rel_type: rel_type.to_owned(), event: EventId::parse(parent).ok()?, key })
    }

    /// Whether the event is in the thread whose root the relation names.
    pub fn is_thread(&self) -> bool {
        self.rel_type == "m.thread"
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::fixtures::{builder, key, version};

    #[test]
    fn only_what_matches_the_schema_is_a_relation() {
        let relates = |relation: Value| json!({ "body": "x", "m.relates_to": relation });
        let table = [
            (relates(json!({"rel_type": "m.thread", "event_id": "$root"})), Some("m.thread $root")),
            (relates(json!({"rel_type": "org.x", "event_id": "$a"})), Some("org.x $a")),
            (
                relates(json!({"rel_type": "m.annotation", "event_id": "$a", "key": "+"})),
                Some("m.annotation $a +"),
            ),
            (
                relates(json!({"rel_type": "m.annotation", "event_id": "$a", "key": 1})),
                Some("m.annotation $a"),
            ),
            (relates(json!({"m.in_reply_to": {"event_id": "$a"}})), None),
            (relates(json!({"rel_type": "m.thread", "event_id": "root"})), None),
            (relates(json!({"rel_type": "m.thread"})), None),
            (relates(json!({"rel_type": 1, "event_id": "$a"})), None),
            (relates(json!("m.thread")), None),
            (json!({"deeper": relates(json!({"rel_type": "m.thread", "event_id": "$root"}))}), None),
            (json!({"body": "\"m.relates_to\""}), None),
        ];
        let rules = version(11);
        for (content, expected) in table {
            let event = builder(rules, "m.room.message", content.clone()).build(rules, &key("a.test"));
            let relation = Relation::of(&event.unwrap());
            let found = relation.as_ref().map(|found| {
                let key = found.key.as_ref().map(|key| format!(" {key}")).unwrap_or_default();
                format!("{} {}{key}", found.rel_type, found.event)
            });
            assert_eq!(found.as_deref(), expected, "{content}");
            assert_eq!(
                relation.is_some_and(|relation| relation.is_thread()),
                expected.is_some_and(|expected| expected.starts_with("m.thread"))
            );
        }
    }
}
