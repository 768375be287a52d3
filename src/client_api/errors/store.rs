//! The store did not do its part.
//!
//! Invariant: while the store takes no writes, what needs one answers 503 and everything else goes on.

use plop_accounts::StoreError;
use plop_accounts::attempts::Limited;
use plop_accounts::passwords::Busy;
use plop_db::{CommitError, ReadError};
use plop_rooms::{EventReadError, StoreFault};

use crate::error::ApiError;

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        Self::internal(error)
    }
}

impl From<CommitError> for ApiError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::ReadOnly(_) => {
                tracing::warn!(%error, "a write was refused");
                Self::unavailable("The server cannot store anything at present.")
            }
            CommitError::TooLarge { .. } => Self::too_large("This is more than can be stored at once."),
            CommitError::Conflict { .. }
            | CommitError::Unknown
            | CommitError::Unreadable { .. }
            | CommitError::Unregistered(_) => Self::internal(error),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Read(error) => error.into(),
            StoreError::Commit(error) => error.into(),
        }
    }
}

impl From<EventReadError> for ApiError {
    fn from(error: EventReadError) -> Self {
        Self::internal(error)
    }
}

impl From<StoreFault> for ApiError {
    fn from(fault: StoreFault) -> Self {
        match fault {
            StoreFault::Event(error) => error.into(),
            StoreFault::State(error) => Self::internal(error),
            StoreFault::Commit(error) => error.into(),
        }
    }
}

impl From<Limited> for ApiError {
    fn from(limited: Limited) -> Self {
        Self::limited(limited.retry_after)
    }
}

impl From<Busy> for ApiError {
    fn from(busy: Busy) -> Self {
        Self::unavailable(busy)
    }
}
