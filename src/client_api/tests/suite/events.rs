//! The chapter "Events".

mod context;
mod disclosure;
mod members;
mod messages;
mod redacting;
mod sending;
mod state;
