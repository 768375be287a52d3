//! Why there is nothing to read in a key backup, or nothing changes there.

use http::StatusCode;
use plop_e2ee::backup::BackupError;
use ruma::api::error::{ErrorKind, WrongRoomKeysVersionErrorData};

use crate::error::ApiError;

impl From<BackupError> for ApiError {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::NoUser => Self::forbidden(error),
            BackupError::NoAccount | BackupError::NotFound | BackupError::KeyNotFound => {
                Self::not_found(error)
            }
            BackupError::NotCurrent { current } => {
                let data = WrongRoomKeysVersionErrorData::new(current.to_string());
                Self::new(StatusCode::FORBIDDEN, ErrorKind::WrongRoomKeysVersion(data), error)
            }
            BackupError::OtherAlgorithm | BackupError::InvalidAlgorithm | BackupError::InvalidSession => {
                Self::invalid_param(error)
            }
            BackupError::AuthDataTooLarge | BackupError::SessionDataTooLarge | BackupError::TooManyAtOnce => {
                Self::too_large(error)
            }
            BackupError::TooManyBackups | BackupError::Full => Self::too_many(error),
            BackupError::Store(error) => error.into(),
        }
    }
}
