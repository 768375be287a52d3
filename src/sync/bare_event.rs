//! Events that are no events of a room: account data, receipts, typing.
//!
//! Owns: the form that they have in common.

use plop_state::json::write_string;

/// An event that is no more than a type and a content.
pub fn bare_event(kind: &str, content: &str) -> String {
    let mut out = String::with_capacity(content.len() + kind.len() + 24);
    out.push_str("{\"content\":");
    out.push_str(content);
    out.push_str(",\"type\":");
    write_string(&mut out, kind);
    out.push('}');
    out
}
