//! Why messages to devices are not sent.

use plop_e2ee::to_device::SendError;

use crate::error::ApiError;

impl From<SendError> for ApiError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::NoUser | SendError::OtherServers => Self::forbidden(error),
            SendError::InvalidType | SendError::InvalidTransactionId => Self::invalid_param(error),
            SendError::MessageTooLarge | SendError::RequestTooLarge => Self::too_large(error),
            SendError::Store(error) => error.into(),
        }
    }
}
