//! Parameters of a path, where no type of ruma's has them.

use axum::extract::{FromRequestParts, Path as Parameters};
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::error::ApiError;

/// The parameters, decoded and checked: one, or a tuple of several.
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let parameters = Parameters::from_request_parts(parts, state).await;
        parameters
            .map(|Parameters(value)| Self(value))
            .map_err(|error| ApiError::invalid_param(error.body_text()))
    }
}
