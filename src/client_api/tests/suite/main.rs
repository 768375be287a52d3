//! The API, through its real router.

mod bed;
mod call;
mod chat;
mod discovery;
mod ephemeral;
mod events;
mod rooms;
mod session;
mod syncing;
