//! Sliding sync.

mod bed;
mod beside;
mod connections;
mod costs;
mod departures;
mod encryption;
mod required;
mod rooms;
mod schema;
mod threads;
mod waiting;
mod windows;
