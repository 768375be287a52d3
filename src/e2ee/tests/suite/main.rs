//! Messages between devices, on the Memory engine with a simulated clock.

mod bed;
mod limits;
mod schema;
mod sending;
mod sweeping;
mod syncing;
