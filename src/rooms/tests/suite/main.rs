//! Rooms on the in-memory engine, with a simulated clock and seeded randomness.

mod bed;
mod creating;
mod sending;
