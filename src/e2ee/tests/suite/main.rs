//! Messages between devices and key backups, on the Memory engine with a simulated clock.

mod backup;
mod bed;
mod limits;
mod schema;
mod sending;
mod sweeping;
mod syncing;
