//! Sliding sync (MSC4186): the rooms that a client asks for, each with what changed since it was last sent on this connection.
//!
//! Owns: the one composer of both dialects, over the same providers as `/sync`. Does not own: what is new in a room (the providers), the form of
//! requests in HTTP (rank 5).
//!
//! The way of a request: [`sync`] finds the connection and waits; [`look`] looks once: the user's rooms in their [`order`], the windows on them
//! ([`windows`]), what is told of which room ([`frame`]), what goes beside rooms ([`extensions`]). [`answer`] writes it, each [`room`] put together when
//! its turn comes. [`connections`] remembers what was sent,
//! [`reached`] how far a request that waits has looked.
//!
//! Invariants: a position is an answer of one connection of one device. The last answer and the one before it can be gone on from, as often as the
//! client likes: what a lost answer said is said again. An idle request reads nothing from the database and writes nothing.

pub mod answer;
mod beside_rooms;
pub(crate) mod bumps;
pub(crate) mod connection;
pub(crate) mod connections;
mod ending;
mod extensions;
mod facts;
mod frame;
mod invites;
pub(crate) mod labels;
pub(crate) mod order;
mod pass;
pub mod pos;
mod reached;
pub mod request;
mod required;
pub mod required_state;
mod room;
pub mod schema;
mod spaces;
mod sync;
mod windows;
mod write;
