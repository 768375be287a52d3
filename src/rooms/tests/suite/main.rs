//! Rooms on the in-memory engine, with a simulated clock and seeded randomness.
//!
//! A part of the crate in its tests only: it holds rooms by their inside, which nobody else can.

/// What other crates know as `plop_bed_rooms`, on this build of this crate.
#[path = "../../../../tests/bed/rooms/lib.rs"]
pub mod bed_rooms;

mod aliases;
mod annotating;
mod bed;
mod creating;
mod directory;
mod forgetting;
mod identity;
mod membership;
mod reading;
mod refused;
mod relating;
mod schema;
mod sending;
mod serve_pages;
mod shadow_ban;
mod sim_at_once;
mod sim_busy;
mod sim_converge;
mod sim_hostile;
mod sim_joining;
mod sim_large;
mod sim_network;
mod sim_room;
mod sim_scene;
mod sim_told;
mod sim_visibility;
mod upgrading;
mod upkeep;
