//! What was not told a user.

use plop_accounts::server_user::ServerUserError;
use plop_moderation::notices::NotNoticed;

use crate::error::ApiError;

/// As Synapse answers, which is where the endpoint comes from, where it is there.
impl From<NotNoticed> for ApiError {
    fn from(error: NotNoticed) -> Self {
        match error {
            NotNoticed::Off => Self::unrecognized(),
            NotNoticed::Forbidden => Self::not_admin(),
            NotNoticed::NotLocal => Self::invalid_param(error),
            NotNoticed::NoAccount => Self::not_found(error),
            NotNoticed::ServerUser(error) => error.into(),
            NotNoticed::Room(error) => error.into(),
            NotNoticed::Refused(refusal) => refusal.into(),
            NotNoticed::Tag(error) => error.into(),
            NotNoticed::Store(error) => error.into(),
        }
    }
}

impl From<ServerUserError> for ApiError {
    fn from(error: ServerUserError) -> Self {
        match error {
            // The configuration is wrong; the log says so.
            ServerUserError::Taken => Self::internal(error),
            ServerUserError::Store(error) => error.into(),
        }
    }
}
