//! How what is done with backups may end otherwise than done.

use plop_accounts::StoreError;
use plop_db::{CommitError, ReadError};

use super::{MAX_AUTH_DATA_BYTES, MAX_KEYS_AT_ONCE, MAX_NAME_BYTES, MAX_SESSION_DATA_BYTES};

/// Why nothing has changed, or there is nothing to read.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Backups belong to users.
    #[error("the server itself has no key backups")]
    NoUser,
    #[error("there is no such account")]
    NoAccount,
    /// There is no backup, or none with this version.
    #[error("there is no such key backup")]
    NotFound,
    #[error("there is no such key in the backup")]
    KeyNotFound,
    /// Keys are written to the newest backup only.
    #[error("this is not the current key backup")]
    NotCurrent {
        /// The version of the newest one.
        current: u64,
    },
    #[error("a key backup keeps its algorithm")]
    OtherAlgorithm,
    #[error("the algorithm is empty or longer than {MAX_NAME_BYTES} bytes")]
    InvalidAlgorithm,
    #[error("the id of a session is empty or longer than {MAX_NAME_BYTES} bytes")]
    InvalidSession,
    #[error("the auth_data is larger than {MAX_AUTH_DATA_BYTES} bytes")]
    AuthDataTooLarge,
    #[error("the session_data is larger than {MAX_SESSION_DATA_BYTES} bytes")]
    SessionDataTooLarge,
    #[error("there are more than {MAX_KEYS_AT_ONCE} keys in the request")]
    TooManyAtOnce,
    #[error("the user has as many key backups as may be kept")]
    TooManyBackups,
    #[error("the user has as many keys in backups as may be kept")]
    Full,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ReadError> for BackupError {
    fn from(error: ReadError) -> Self {
        Self::Store(error.into())
    }
}

impl From<CommitError> for BackupError {
    fn from(error: CommitError) -> Self {
        Self::Store(error.into())
    }
}
