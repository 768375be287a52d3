//! The API, through its real router.

mod bed;
mod call;
mod discovery;
mod session;
mod syncing;
