//! What comes and goes in a room.

mod receipts;
mod typing;
