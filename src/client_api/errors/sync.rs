//! `/sync` or sliding sync gives no answer.

use plop_sync::sliding::request::SlidingError;
use plop_sync::{AnswerFault, FilterRefusal, SyncError};
use ruma::api::error::ErrorKind;

use crate::error::ApiError;

impl From<SyncError> for ApiError {
    fn from(error: SyncError) -> Self {
        match error {
            SyncError::NoToken => Self::invalid_param(error),
            SyncError::Filter(refusal) => refusal.into(),
            SyncError::NoUser => Self::forbidden(error),
            SyncError::Store(fault) => fault.into(),
        }
    }
}

impl From<SlidingError> for ApiError {
    fn from(error: SlidingError) -> Self {
        match error {
            SlidingError::UnknownPos => Self::bad_request(ErrorKind::UnknownPos, error),
            SlidingError::NoToDeviceToken | SlidingError::TooManyWishes => Self::invalid_param(error),
            SlidingError::NoUser => Self::forbidden(error),
            SlidingError::Store(fault) => fault.into(),
        }
    }
}

impl From<AnswerFault> for ApiError {
    fn from(fault: AnswerFault) -> Self {
        match fault {
            AnswerFault::RoomGone(_) => Self::internal(fault),
            AnswerFault::Store(fault) => fault.into(),
        }
    }
}

impl From<FilterRefusal> for ApiError {
    fn from(refusal: FilterRefusal) -> Self {
        match refusal {
            FilterRefusal::Invalid(_)
            | FilterRefusal::TooLarge
            | FilterRefusal::TooManyPatterns(_)
            | FilterRefusal::Unknown => Self::invalid_param(refusal),
            FilterRefusal::Store(error) => error.into(),
        }
    }
}
