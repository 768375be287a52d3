//! How sending may end otherwise than with messages sent.

use plop_accounts::StoreError;
use plop_db::{CommitError, ReadError};

use super::{MAX_MESSAGE_BYTES, MAX_MESSAGES, MAX_REQUEST_BYTES, MAX_TRANSACTION_ID_BYTES, MAX_TYPE_BYTES};

/// Why nothing is sent, to anybody.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Messages have a user as their sender.
    #[error("the server itself sends no messages to devices")]
    NoUser,
    #[error("the type is empty or longer than {MAX_TYPE_BYTES} bytes")]
    InvalidType,
    #[error("the transaction id is empty or longer than {MAX_TRANSACTION_ID_BYTES} bytes")]
    InvalidTransactionId,
    /// A message is for a user of another server, who cannot be reached. The others get none either: what is sent under a transaction id
    /// is never completed later.
    #[error("users of other servers cannot be reached")]
    OtherServers,
    #[error("a message is larger than {MAX_MESSAGE_BYTES} bytes")]
    MessageTooLarge,
    #[error("the messages are for more than {MAX_MESSAGES} devices or larger than {MAX_REQUEST_BYTES} bytes")]
    RequestTooLarge,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ReadError> for SendError {
    fn from(error: ReadError) -> Self {
        Self::Store(error.into())
    }
}

impl From<CommitError> for SendError {
    fn from(error: CommitError) -> Self {
        Self::Store(error.into())
    }
}
