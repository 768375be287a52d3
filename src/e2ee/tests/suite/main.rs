//! Messages between devices, their keys and key backups, on the Memory engine with a simulated clock.

mod backup;
mod bed;
mod claims;
mod cross_signing;
mod dehydrated;
mod keys_ended;
mod limits;
mod people;
mod queries;
mod schema;
mod sending;
mod sweeping;
mod syncing;
mod uploads;
