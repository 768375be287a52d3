//! What was not done with an event that is sent later.

use std::time::Duration;

use http::StatusCode;
use plop_delayed::DelayRefusal;
use ruma::api::error::ErrorKind;

use serde_json::{Map, Value};

use crate::error::{ApiError, kind};

impl From<DelayRefusal> for ApiError {
    fn from(refusal: DelayRefusal) -> Self {
        match refusal {
            DelayRefusal::Off | DelayRefusal::NoUser | DelayRefusal::AccountEnded => Self::forbidden(refusal),
            DelayRefusal::NoDelay => Self::invalid_param(refusal),
            DelayRefusal::TooLong { max } => too_long(kind("M_MAX_DELAY_EXCEEDED"), max),
            DelayRefusal::TooMany { next } => Self::limited(next),
            DelayRefusal::TooOften { wait } => Self::limited(wait),
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

/// The same for clients of before, which look for names of their own and try again with the delay that is allowed.
pub fn former(refusal: DelayRefusal) -> ApiError {
    match refusal {
        DelayRefusal::TooLong { max } => too_long(ErrorKind::Unknown, max),
        refusal => refusal.into(),
    }
}

fn too_long(code: ErrorKind, max: Duration) -> ApiError {
    let max_delay = Value::from(u64::try_from(max.as_millis()).unwrap_or(u64::MAX));
    let members = [
        ("max_delay", max_delay.clone()),
        ("org.matrix.msc4140.errcode", "M_MAX_DELAY_EXCEEDED".into()),
        ("org.matrix.msc4140.max_delay", max_delay),
    ];
    let members: Map<String, Value> =
        members.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
    ApiError::bad_request(code, "The requested delay exceeds the allowed maximum.").with(members)
}
