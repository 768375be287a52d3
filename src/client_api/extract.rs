//! What handlers take from a request.
//!
//! Owns: the extractors: typed requests and responses ([`Ruma`], [`Json`]), forms of pages ([`Form`]), contents of events ([`Content`]), who asks ([`Session`] and its
//! like, [`OrGuest`]) and whether that is a sign of somebody being there ([`Acting`]), from where ([`ClientAddress`]), and interactive authentication
//! ([`Interactive`]). Does not own: what any endpoint does with them.
//!
//! Invariant: the token is looked at before the body is read, so that a stranger cannot make the server read a large one.

pub mod acting;
pub mod bodies;
mod body;
pub mod client_address;
pub mod content;
pub mod form;
pub mod interactive;
pub mod json;
pub mod or_guest;
pub mod path;
pub mod query;
pub mod ruma;
pub mod send_options;
pub mod session;

pub use acting::Acting;
pub use bodies::{Bodies, BodyLimits, HasBodies};
pub use client_address::ClientAddress;
pub use content::{Addition, Content};
pub use form::Form;
pub use interactive::Interactive;
pub use json::{Json, JsonText};
pub use or_guest::OrGuest;
pub use path::Path;
pub use query::Query;
pub use ruma::Ruma;
pub use send_options::SendOptions;
pub use session::{ActiveSession, AdminSession, AnySession, OptionalSession, Session};
