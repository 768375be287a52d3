//! Numbers inside, ids outside: how a room and its events are named in the database.
//!
//! Owns: [`RoomNumber`], [`EventNumber`], [`Generation`], [`Grove`]. Does not own: who gives them out (the room's one writer,
//! and for rooms the writer of the room list).

/// A room. Never used again after the room is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomNumber(pub u64);

/// An event of one room. Given by the room's one writer, in no particular relation to the room's graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventNumber(pub u64);

/// Which copy of a room's state nodes is in use: the first, until there is a way to purge history, which copies what is still reachable into the next
/// generation and drops the range of the old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u32);

plop_db::transparent! { RoomNumber, EventNumber, Generation }

impl Generation {
    /// The generation of a new room.
    pub const FIRST: Generation = Generation(0);
}

/// The state trees of one room in one generation: they share nodes with each other and with nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Grove {
    pub room: RoomNumber,
    pub generation: Generation,
}
