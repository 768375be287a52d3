//! Threads.

mod subscriptions;
