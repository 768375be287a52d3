//! What was not done with an event that is sent later.

use http::StatusCode;
use plop_delayed::DelayRefusal;
use ruma::api::error::ErrorKind;

use crate::error::ApiError;

impl From<DelayRefusal> for ApiError {
    fn from(refusal: DelayRefusal) -> Self {
        match refusal {
            DelayRefusal::Off | DelayRefusal::NoUser | DelayRefusal::AccountEnded => Self::forbidden(refusal),
            DelayRefusal::NoDelay | DelayRefusal::TooLong { .. } => Self::invalid_param(refusal),
            DelayRefusal::TooMany { next } => Self::limited(next),
            DelayRefusal::TooLarge | DelayRefusal::IdTooLong(_) => Self::too_large(refusal),
            DelayRefusal::NotFound => Self::not_found(refusal),
            DelayRefusal::Conflict => Self::new(StatusCode::CONFLICT, ErrorKind::Unknown, refusal),
            DelayRefusal::Suspended => Self::user_suspended(),
            DelayRefusal::Room(refusal) => refusal.into(),
            DelayRefusal::Unseen(refusal) => refusal.into(),
            DelayRefusal::Store(fault) => fault.into(),
        }
    }
}
