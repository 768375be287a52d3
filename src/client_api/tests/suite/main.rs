//! The API, through its real router.

mod account;
mod account_data;
mod administration;
mod authentication;
mod bed;
mod bodies;
mod budgets;
mod call;
mod chat;
mod discovery;
mod ephemeral;
mod events;
mod keys;
mod notifications;
mod presence;
mod profile;
mod push_rules;
mod registration;
mod room_keys;
mod rooms;
mod session;
mod sliding;
mod syncing;
mod terms;
mod threads;
mod to_device;
