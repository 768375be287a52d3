//! Why keys are not published, claimed or told.

use plop_accounts::dehydrated::DehydrationError;
use plop_e2ee::keys::{ClaimError, KeyRejected, PublishError, QueryError};
use ruma::api::error::ErrorKind;

use crate::error::ApiError;

impl From<KeyRejected> for ApiError {
    fn from(rejected: KeyRejected) -> Self {
        match rejected {
            KeyRejected::Malformed(_) => Self::bad_request(ErrorKind::BadJson, rejected),
            KeyRejected::NotYours => Self::invalid_param(rejected),
            KeyRejected::InvalidSignature => Self::invalid_signature(rejected),
            KeyRejected::TooLarge => Self::too_large(rejected),
        }
    }
}

impl From<PublishError> for ApiError {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::NoDevice | PublishError::AccountEnded | PublishError::NameClash => {
                Self::forbidden(error)
            }
            PublishError::Rejected(rejected) => rejected.into(),
            PublishError::KeyExists { .. } => Self::invalid_param(error),
            PublishError::TooManyKeys | PublishError::TooManySignatures => Self::too_many(error),
            PublishError::NoMasterKey | PublishError::NoIdentityKeys => Self::missing_param(error),
            PublishError::Dehydration(error) => error.into(),
            // The endpoint asks for it; nobody else needs any.
            PublishError::NeedsConsent => Self::forbidden(error),
            PublishError::Store(error) => error.into(),
        }
    }
}

impl From<DehydrationError> for ApiError {
    fn from(error: DehydrationError) -> Self {
        match error {
            DehydrationError::Rejected(rejected) => rejected.into(),
            DehydrationError::NoAlgorithm => Self::bad_request(ErrorKind::BadJson, error),
            DehydrationError::TooLarge => Self::too_large(error),
            DehydrationError::InUse => Self::invalid_param(error),
            DehydrationError::NoAccount => Self::forbidden(error),
            DehydrationError::Store(error) => error.into(),
        }
    }
}

impl From<ClaimError> for ApiError {
    fn from(error: ClaimError) -> Self {
        match error {
            ClaimError::NoUser => Self::forbidden(error),
            ClaimError::TooMany => Self::too_many(error),
            ClaimError::Store(error) => error.into(),
        }
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::NoUser => Self::forbidden(error),
            QueryError::TooMany => Self::too_many(error),
            QueryError::Read(error) => error.into(),
        }
    }
}
