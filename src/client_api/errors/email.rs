//! Why no mail is sent, and why an address is not added or removed.

use plop_accounts::email_validation::{EmailRequestError, NotValidated};
use plop_accounts::threepids::ThreepidError;
use ruma::api::error::ErrorKind;

use crate::error::ApiError;

impl From<EmailRequestError> for ApiError {
    fn from(error: EmailRequestError) -> Self {
        match error {
            EmailRequestError::NotSupported => {
                Self::bad_request(ErrorKind::ThreepidMediumNotSupported, error)
            }
            EmailRequestError::NoAddress(_)
            | EmailRequestError::InvalidClientSecret
            | EmailRequestError::NextLink => Self::invalid_param(error),
            EmailRequestError::InUse => Self::bad_request(ErrorKind::ThreepidInUse, error),
            EmailRequestError::NotFound => Self::bad_request(ErrorKind::ThreepidNotFound, error),
            EmailRequestError::TooManyMails(error) => Self::unavailable(error),
            EmailRequestError::Limited(error) => error.into(),
            EmailRequestError::Store(error) => error.into(),
        }
    }
}

impl From<NotValidated> for ApiError {
    fn from(error: NotValidated) -> Self {
        Self::bad_request(ErrorKind::ThreepidAuthFailed, error)
    }
}

impl From<ThreepidError> for ApiError {
    fn from(error: ThreepidError) -> Self {
        match error {
            ThreepidError::InUse => Self::bad_request(ErrorKind::ThreepidInUse, error),
            ThreepidError::TooMany => Self::too_many(error),
            ThreepidError::NoAccount => Self::not_found(error),
            ThreepidError::Forbidden(error) => error.into(),
            ThreepidError::NotValidated(error) => error.into(),
            ThreepidError::Store(error) => error.into(),
        }
    }
}
