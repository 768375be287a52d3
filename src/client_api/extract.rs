//! What handlers take from a request.
//!
//! Owns: the extractors: typed requests and responses ([`Ruma`], [`Json`]), who asks ([`Session`] and its like), from where
//! ([`ClientAddress`]), and interactive authentication ([`Interactive`]). Does not own: what any endpoint does with them.
//!
//! Invariant: the token is looked at before the body is read, so that a stranger cannot make the server read one.

mod body;
pub mod client_address;
pub mod interactive;
pub mod json;
pub mod path;
pub mod ruma;
pub mod session;

pub use client_address::ClientAddress;
pub use interactive::Interactive;
pub use json::{Json, JsonText};
pub use path::Path;
pub use ruma::Ruma;
pub use session::{ActiveSession, AnySession, OptionalSession, Session};
