//! Which events may stand for others (client-server API, "Validity of replacement events").
//!
//! Owns: the rule, for those who write edits down and those who read them. Invariants: what an encrypted event replaces is inside, so of it is asked
//! only what can be seen.

use plop_state::Pdu;
use plop_state::json::Value;
use plop_state::relation::Relation;

use crate::event::RoomEvent;

/// Whether an event says, as far as can be seen, what is to stand in the place of another one.
pub fn is_edit(event: &Pdu) -> bool {
    let has_content = || matches!(event.content_object().get("m.new_content"), Some(Value::Object(_)));
    event.state_key().is_none() && (event.type_name() == "m.room.encrypted" || has_content())
}

/// Whether an event is one that others may replace: no state, and no edit itself.
pub fn is_original(event: &RoomEvent) -> bool {
    let is_edit = || Relation::of(&event.pdu).is_some_and(|relation| relation.rel_type == "m.replace");
    event.pdu.state_key().is_none() && !is_edit()
}

/// Whether an event may be replaced by an edit.
pub fn may_be_edited_by(original: &RoomEvent, edit: &Pdu) -> bool {
    is_original(original)
        && original.pdu.sender() == edit.sender()
        && original.pdu.type_name() == edit.type_name()
}
