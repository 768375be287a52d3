//! The event: [`Pdu`], parsed once, checked against the event format of its room version.
//!
//! Owns: the stored form (canonical JSON without `unsigned`), the typed fields, event ids, hashes, the client form.
//!
//! Does not own: signatures ([`crate::sign`]), authorisation, outcomes: whether an event was rejected is no property of
//! the event.
//!
//! Invariants: the typed fields are read from the canonical text and from nothing else; every id has at most 255 bytes;
//! a `Pdu` that [`Pdu::parse`] returned has at most 65,536 bytes.

mod client;
mod event;
mod fields;
mod hash;

pub use client::ClientFormat;
pub use event::Pdu;
pub use fields::FormatError;
pub use hash::{content_hash, reference_hash};

#[cfg(test)]
mod tests;
