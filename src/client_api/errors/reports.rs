//! What was not reported.
//!
//! Invariant: an event that is not there, one that may not be seen and one of a room that the user is not in are answered alike.

use plop_moderation::reports::NotReported;

use crate::error::ApiError;

impl From<NotReported> for ApiError {
    fn from(error: NotReported) -> Self {
        match error {
            NotReported::NoSuchEvent => Self::not_found(error),
            NotReported::Guest => Self::guest_access_forbidden(error),
            NotReported::NoUser => Self::forbidden(error),
            NotReported::ReasonTooLong => Self::too_large(error),
            NotReported::Store(fault) => fault.into(),
        }
    }
}
