//! Unread counts on the in-memory engine.

mod bed;
mod model;
mod receipts;
mod rules;
mod threads;
mod totals;
