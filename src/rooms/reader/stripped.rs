//! Stripped state: what someone who may enter a room is shown of it (client-server API, "Stripped state").
//!
//! Owns: which events these are and their form. Does not own: who gets them (invites, knocks, previews), as of when.
//!
//! Invariants: the create event is always among them; nothing but sender, type, state key and content is shown.

use plop_state::json::write_string;
use plop_state::{Pdu, StateKey};
use plop_state_store::tree::Root;

use super::access::RoomReader;
use crate::fault::StoreFault;
use crate::view::{RoomView, ShownIn, types_shown};

/// The stripped state of a room as it is now, each event as JSON.
pub fn stripped_state(view: &RoomView) -> Vec<String> {
    let events = types_shown(ShownIn::StrippedState).filter_map(|kind| view.kept_type(kind));
    events.map(|event| stripped(&event.pdu)).collect()
}

impl RoomReader<'_> {
    /// The same of another state of the room, whether the user may see that state or not.
    pub async fn stripped_state_of(&self, state: Root) -> Result<Vec<String>, StoreFault> {
        if state == self.view().root {
            return Ok(stripped_state(self.view()));
        }
        let keys: Vec<StateKey> =
            types_shown(ShownIn::StrippedState).map(|kind| StateKey::new(kind, "")).collect();
        let events = self.state_events(state, &keys).await?;
        Ok(events.iter().map(|event| stripped(&event.pdu)).collect())
    }
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
