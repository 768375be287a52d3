//! Why a receipt is not written, or a sign of a user not taken.

use plop_ephemeral::{PresenceReadError, ReceiptError};

use crate::error::ApiError;

impl From<PresenceReadError> for ApiError {
    fn from(error: PresenceReadError) -> Self {
        match error {
            PresenceReadError::Forbidden(forbidden) => forbidden.into(),
            PresenceReadError::Read(error) => error.into(),
        }
    }
}

impl From<ReceiptError> for ApiError {
    fn from(error: ReceiptError) -> Self {
        match error {
            ReceiptError::Forbidden(forbidden) => forbidden.into(),
            ReceiptError::TooMany => Self::too_many(error),
            ReceiptError::Read(error) => error.into(),
            ReceiptError::Commit(error) => error.into(),
            ReceiptError::FullyRead(error) => error.into(),
        }
    }
}
