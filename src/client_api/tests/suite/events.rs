//! The chapter "Events".

mod members;
mod redacting;
mod sending;
mod state;
