//! The chapter "Events".

mod at_time;
mod context;
mod disclosure;
mod members;
mod messages;
mod redacting;
mod relations;
mod sending;
mod state;
