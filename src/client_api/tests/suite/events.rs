//! The chapter "Events".

mod at_time;
mod context;
mod members;
mod messages;
mod redacting;
mod relations;
mod sending;
mod state;
