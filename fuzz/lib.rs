//! Fuzz targets, one module each: what reads bytes that others choose, and what holds for whatever they are.
//!
//! Owns: the targets and [`TARGETS`], their table. Does not own: how inputs are found; that is cargo-fuzz (`README.md`) and, for a fixed set
//! of them, the test in `tests/suite/`.
//!
//! Invariants: a target takes any bytes, keeps nothing between two calls, and panics only where something is wrong in the code that it is about.

pub mod auth;
pub mod codec;
pub mod json;
mod parts;
pub mod pdu;
pub mod push;
pub mod rows;
pub mod tokens;

/// The name of a target, which is that of its binary and of its folder of seeds, and what it does with an input.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 7] = [
    ("auth", auth::target),
    ("codec", codec::target),
    ("json", json::target),
    ("pdu", pdu::target),
    ("push", push::target),
    ("rows", rows::target),
    ("tokens", tokens::target),
];
