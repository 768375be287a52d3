//! Why the store could not do what an operation needed.

use plop_db::{CommitError, ReadError};

/// Reading or writing failed: no outcome of the operation, but trouble of the server. The edge logs it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Commit(#[from] CommitError),
}
