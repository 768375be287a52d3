//! What local users do to rooms.
//!
//! Owns: one file for each operation, each hanging a function on [`Rooms`](crate::rooms::Rooms). Does not own: how requests look on
//! the wire (rank 5).
//!
//! Invariants: an operation takes an [`Actor`](plop_base::Actor) and decides for every kind of actor; it is one batch, so it happens whole or
//! not at all.

pub mod aliases;
mod annotations;
pub mod create;
pub mod directory;
pub mod forget;
pub mod membership;
pub mod refusal;
pub mod send;
mod shadow_ban;
pub mod transactions;
pub mod upgrade;
