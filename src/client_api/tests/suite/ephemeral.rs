//! What comes and goes in a room.

mod typing;
