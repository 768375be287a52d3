//! Events that are no events of a room: account data, receipts, typing.
//!
//! Owns: the form that they have in common.

use plop_state::json::TextWriter;

/// An event that is no more than a type and a content.
pub fn bare_event(kind: &str, content: &str) -> String {
    let mut out = TextWriter::new();
    out.object();
    out.key("content");
    out.text(content);
    out.key("type");
    out.string(kind);
    out.finish()
}
