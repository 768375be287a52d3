//! The client form of an event (client-server API, "Room event format"), up to `unsigned`.

use super::event::Pdu;
use crate::{
    json::{members, write_string},
    version::Rules,
};

/// Which client form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientFormat {
    /// With `room_id`.
    Full,
    /// Without `room_id`, where the place in the response says it (`/sync`).
    WithoutRoomId,
    /// As servers exchange it (`event_format` of a filter).
    Federation,
}

impl Pdu {
    /// The client form up to but without `unsigned` and the closing brace, so that a reader appends what is its own:
    /// either `}` or `,"unsigned":{…}}`.
    ///
    /// A redaction shows its target at the top and in `content`, wherever its room version keeps it (room version 11,
    /// "Moving the `redacts` property").
    pub fn client_json(&self, rules: &Rules, format: ClientFormat) -> String {
        if format == ClientFormat::Federation {
            let text = self.canonical();
            return text.strip_suffix('}').unwrap_or(text).to_owned();
        }
        let redaction = self.type_name() == "m.room.redaction";
        let mut out = String::with_capacity(self.content_text().len() + 384);
        out.push_str("{\"content\":");
        match self.redacts() {
            Some(target) if redaction && !rules.spec.redaction.content_field_redacts => {
                write_content_with_target(&mut out, self.content_text(), target.as_str());
            }
            _ => out.push_str(self.content_text()),
        }
        string_member(&mut out, "event_id", self.event_id().as_str());
        out.push_str(",\"origin_server_ts\":");
        out.push_str(&self.origin_server_ts().get().to_string());
        if let Some(target) = self.redacts() {
            string_member(&mut out, "redacts", target.as_str());
        }
        if format == ClientFormat::Full {
            string_member(&mut out, "room_id", self.room_id().as_str());
        }
        string_member(&mut out, "sender", self.sender().as_str());
        if let Some(key) = self.state_key() {
            string_member(&mut out, "state_key", key);
        }
        string_member(&mut out, "type", self.type_name());
        out
    }
}

fn string_member(out: &mut String, name: &str, value: &str) {
    out.push_str(",\"");
    out.push_str(name);
    out.push_str("\":");
    write_string(out, value);
}

/// The content with `redacts` set to the target; a `redacts` that it already has gives way.
fn write_content_with_target(out: &mut String, content: &str, target: &str) {
    out.push_str("{\"redacts\":");
    write_string(out, target);
    for (key, value) in members(content).iter().flat_map(|content| content.iter()) {
        if key != "redacts" {
            out.push_str(",\"");
            out.push_str(key);
            out.push_str("\":");
            out.push_str(value);
        }
    }
    out.push('}');
}

#[cfg(test)]
mod tests;
