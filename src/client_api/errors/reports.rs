//! What was not reported.
//!
//! Invariant: an event that is not there, one that may not be seen and one of a room that the user is not in are answered alike.

use http::StatusCode;
use plop_moderation::reports::NotReported;
use ruma::api::error::ErrorKind;

use crate::error::ApiError;

impl From<NotReported> for ApiError {
    fn from(error: NotReported) -> Self {
        match error {
            NotReported::NoSuchEvent => Self::not_found(error),
            NotReported::Guest => Self::new(StatusCode::FORBIDDEN, ErrorKind::GuestAccessForbidden, error),
            NotReported::NoUser => Self::forbidden(error),
            NotReported::ReasonTooLong => Self::too_large(error),
            NotReported::Store(fault) => fault.into(),
        }
    }
}
