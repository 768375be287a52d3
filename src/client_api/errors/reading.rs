//! What of a room was not read.
//!
//! Invariant: a room that is not here and one that is none of the user's business are answered alike, and so are an event that is not there and one that
//! may not be seen.

use plop_rooms::LoadError;
use plop_rooms::reader::access::ReadRefusal;
use plop_rooms::reader::filter::TooManyPatterns;
use plop_rooms::reader::receipt::NotRead;
use plop_rooms::spaces::HierarchyRefusal;
use ruma::api::error::ErrorKind;

use crate::error::ApiError;

impl From<ReadRefusal> for ApiError {
    fn from(refusal: ReadRefusal) -> Self {
        match refusal {
            ReadRefusal::NotInRoom | ReadRefusal::NoUser => Self::forbidden(refusal),
            ReadRefusal::NoSuchEvent => Self::not_found(refusal),
            ReadRefusal::UnknownVersion(_) => Self::bad_request(ErrorKind::UnsupportedRoomVersion, refusal),
            ReadRefusal::Store(fault) => fault.into(),
        }
    }
}

impl From<NotRead> for ApiError {
    fn from(error: NotRead) -> Self {
        match error {
            NotRead::Refused(refusal) => refusal.into(),
            NotRead::NotInThread => Self::invalid_param(error),
        }
    }
}

impl From<HierarchyRefusal> for ApiError {
    fn from(refusal: HierarchyRefusal) -> Self {
        match refusal {
            HierarchyRefusal::Refused(refusal) => refusal.into(),
            HierarchyRefusal::NoSuchWalk => Self::invalid_param(refusal),
        }
    }
}

impl From<TooManyPatterns> for ApiError {
    fn from(error: TooManyPatterns) -> Self {
        Self::invalid_param(error)
    }
}

impl From<LoadError> for ApiError {
    fn from(error: LoadError) -> Self {
        ReadRefusal::from(error).into()
    }
}
