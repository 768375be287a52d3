//! What local users do to rooms.
//!
//! Owns: one file for each operation, each hanging a function on [`Rooms`](crate::rooms::Rooms). Does not own: how requests look on
//! the wire (rank 5).
//!
//! Invariants: an operation takes an [`Actor`](plop_base::Actor) and decides for every kind of actor; it is one batch, so it happens whole or
//! not at all.
//!
//! What a user asks for who is heard by nobody and is not told ([`Actor::ShadowBanned`](plop_base::Actor::ShadowBanned)) is carried out in full
//! and then taken back ([`Operation::abandon`](crate::operation::Operation::abandon)), so that each answer, a refusal too, is the one that
//! anybody else would get. Coming and going happens, since it changes what is delivered to them, but without a text of theirs, the name and the picture of
//! the profile included; so does creating a room, which nobody is invited to and which is not listed.

pub mod aliases;
mod annotations;
pub mod create;
pub mod directory;
pub mod forget;
pub mod membership;
pub mod refusal;
pub mod send;
pub mod transactions;
pub mod upgrade;
