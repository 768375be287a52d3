//! The protocol's size limits, each with its source.
//!
//! Owns: limits that the specification sets (or that follow from it) and that more than one part checks. Does not
//! own: limits that an admin may change; those are configuration.

/// Largest event in bytes, as canonical JSON with signatures and without what other servers add
/// (client-server API, "Size limits").
pub const MAX_PDU_BYTES: usize = 65_536;

/// Largest user id, room id, room alias, event id, event type and state key, in bytes
/// (appendices, "Common Identifier Format"; client-server API, "Size limits").
pub const MAX_ID_BYTES: usize = 255;

/// Most previous events of one event (server-server API, PDU formats, `prev_events`).
pub const MAX_PREV_EVENTS: usize = 20;

/// Most auth events of one event (server-server API, PDU formats, `auth_events`).
pub const MAX_AUTH_EVENTS: usize = 10;

/// Largest integer in canonical JSON, and the smallest is its negative: 2^53 - 1 (appendices, "Canonical JSON").
pub const MAX_SAFE_INT: u64 = (1 << 53) - 1;

/// Most levels of arrays and objects in JSON that comes from outside. The specification sets none; a parser needs
/// one, and no known client or server nests deeper than a dozen.
pub const MAX_JSON_DEPTH: usize = 128;
