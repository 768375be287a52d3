//! Stripped state: what someone who may enter a room is shown of it (client-server API, "Stripped state").
//!
//! Owns: which events these are and their form. Does not own: who gets them (invites, knocks, previews).
//!
//! Invariants: the create event is always among them; nothing but sender, type, state key and content is shown.

use plop_state::Pdu;
use plop_state::json::write_string;

use crate::view::{RoomView, ShownIn, types_shown};

/// The stripped state of a room as it is now, each event as JSON.
pub fn stripped_state(view: &RoomView) -> Vec<String> {
    let events = types_shown(ShownIn::StrippedState).filter_map(|kind| view.kept_type(kind));
    events.map(|event| stripped(&event.pdu)).collect()
}

/// A state event in stripped form: the invite itself, say, which goes with the state.
pub fn stripped(event: &Pdu) -> String {
    let mut out = String::with_capacity(event.content_text().len() + 128);
    out.push_str("{\"content\":");
    out.push_str(event.content_text());
    out.push_str(",\"sender\":");
    write_string(&mut out, event.sender().as_str());
    if let Some(key) = event.state_key() {
        out.push_str(",\"state_key\":");
        write_string(&mut out, key);
    }
    out.push_str(",\"type\":");
    write_string(&mut out, event.type_name());
    out.push('}');
    out
}
