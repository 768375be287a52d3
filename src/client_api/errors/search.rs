//! What was not searched.

use plop_search::SearchError;

use crate::error::ApiError;

impl From<SearchError> for ApiError {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::NoUser => Self::forbidden(error),
            SearchError::TooMany | SearchError::OtherOrder | SearchError::TooDeep => {
                Self::invalid_param(error)
            }
            SearchError::Index(_) => Self::internal(error),
            SearchError::Stopping(_) => Self::unavailable(error),
            SearchError::Store(fault) => fault.into(),
        }
    }
}
