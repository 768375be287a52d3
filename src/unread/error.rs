//! Why something could not be counted: trouble of the store, no outcome. The edge logs it.

use plop_db::ReadError;
use plop_rooms::event_store::EventReadError;
use plop_state_store::StoreError;

/// A row could not be read.
#[derive(Debug, thiserror::Error)]
pub enum UnreadError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Event(#[from] EventReadError),
    #[error(transparent)]
    State(#[from] StoreError),
}
