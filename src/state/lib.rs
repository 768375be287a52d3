//! Rank 1, pure: events, their rules and how forks of a room's state are resolved.
//!
//! Owns: JSON of events ([`json`]), the rules of each room version ([`version`]), the event itself ([`pdu`]), its
//! hashes, redaction ([`redact`]), relations ([`relation`]), signatures ([`sign`]) and how we make our own ([`builder`]).
//!
//! Does not own: any room's state (`plop-state-store` keeps it, `plop-rooms` writes it), the room's graph, time or randomness. Nothing here reads, writes or awaits.
//!
//! Invariants: remote bytes are parsed once, by [`json::parse`] and its siblings, under one number rule for each room
//! version; what is hashed, signed, stored and shown is the canonical text that came out of that one parse.

pub mod auth;
pub mod builder;
pub mod json;
pub mod pdu;
pub mod push;
pub mod redact;
pub mod relation;
pub mod resolve;
pub mod sign;
pub mod state_key;
mod unpadded_base64;
pub mod version;

pub use pdu::Pdu;
pub use state_key::StateKey;
pub use version::{Rules, rules};

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod for_ruma;
#[cfg(test)]
mod properties;
