//! Which events count as unread for users without push rules of their own.
//!
//! Owns: the reading of the default rules that does not depend on who reads. Does not own: mentions and users' own rules, which
//! are settled by the reader.
//!
//! Invariants: a pure function of the event, so the running total in the live stream can be kept when the event is written.

use plop_state::Pdu;
use serde_json::Value;

/// Whether the default push rules notify everyone but the sender of this event (client-server API, "Predefined Rules": message,
/// encrypted, call and tombstone notify; notices, edits, membership changes and reactions do not).
pub fn notifies(event: &Pdu) -> bool {
    match event.type_name() {
        "m.room.message" => {
            let content: Value = serde_json::from_str(event.content_text()).unwrap_or_default();
            let is_edit =
                content.pointer("/m.relates_to/rel_type").and_then(Value::as_str) == Some("m.replace");
            let is_notice = content.get("msgtype").and_then(Value::as_str) == Some("m.notice");
            !is_edit && !is_notice
        }
        "m.room.encrypted" | "m.call.invite" => event.state_key().is_none(),
        "m.room.tombstone" => event.state_key() == Some(""),
        _ => false,
    }
}
