//! What is no outcome of an operation: the store.
//!
//! Owns: [`StoreFault`]. Does not own: outcomes, which each operation has of its own.

use plop_db::{CommitError, Keyspace as _, ReadError};

use crate::event_store::EventReadError;
use crate::schema::Heads;

/// The store did not do its part. No outcome of an operation: the edge logs it and answers with an internal error, or with 503
/// where the store is read-only.
#[derive(Debug, thiserror::Error)]
pub enum StoreFault {
    #[error(transparent)]
    Event(#[from] EventReadError),
    #[error(transparent)]
    State(#[from] plop_state_store::StateError),
    #[error(transparent)]
    Commit(#[from] CommitError),
}

impl StoreFault {
    /// A commit was refused that the operation had found in flight: the room has to be looked at anew.
    pub(crate) fn refused_before() -> Self {
        Self::Commit(CommitError::Conflict { keyspace: Heads::NAME, key: Vec::new() })
    }
}

impl From<ReadError> for StoreFault {
    fn from(error: ReadError) -> Self {
        Self::Event(error.into())
    }
}
