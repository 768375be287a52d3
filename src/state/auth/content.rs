//! An event's content as an object, for rules that trust the type of no property.

use crate::json::{self, NumberRule, Object};
use crate::pdu::Pdu;

/// The content of an event. A `Pdu` was parsed strictly when it came in. Should its content not be readable all the same, it reads as one
/// without properties, which every rule that needs one refuses.
pub(super) fn of(event: &Pdu) -> Object {
    json::parse_object(event.content_text().as_bytes(), NumberRule::Lenient).unwrap_or_default()
}
