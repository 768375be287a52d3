//! JSON of events: one strict parser, one number rule for each room version, one canonical writer, one for texts.
//!
//! Owns: [`Value`], parsing of remote bytes, canonical JSON (appendices, "Canonical JSON"), [`members`], which takes
//! canonical text apart without building a tree, and [`TextWriter`], which puts texts together.
//!
//! Does not own: what an event must contain ([`crate::pdu`]).
//!
//! Invariants: `parse(canonical(v)) == v`, and `canonical` of what `parse` returned is a fixed point. Duplicate keys,
//! lone surrogates and bad UTF-8 are refused; nesting and size are limited, so recursion is too.

mod members;
mod number;
mod parse;
mod text;
mod value;
mod write;
mod writer;

pub use members::{Members, members};
pub use number::NumberRule;
pub use parse::{JsonError, MAX_RAW_BYTES, parse, parse_event, parse_object};
pub use value::{Object, Value};
pub use write::{canonical, canonical_object, to_object, unescape, write_canonical, write_string};
pub use writer::TextWriter;

#[cfg(test)]
mod tests;
