//! Which outcome of the domain is which error: exhaustive, so that a new outcome is a compile error here.
//!
//! Owns: the conversions, a file for each part of the domain. Does not own: the form of errors ([`crate::error`]).

mod accounts;
mod backup;
pub mod delayed;
mod email;
mod ephemeral;
mod json;
mod keys;
mod media;
mod notices;
mod reading;
mod reports;
mod rooms;
mod search;
mod store;
mod sync;
mod to_device;
mod user_data;
