//! Parameters of a query, where no type of ruma's has them.

use axum::extract::{FromRequestParts, Query as Parameters};
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::error::ApiError;

/// The parameters, decoded.
pub struct Query<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let parameters = Parameters::<T>::try_from_uri(&parts.uri);
        parameters
            .map(|Parameters(value)| Self(value))
            .map_err(|error| ApiError::unreadable_parameters(error.body_text()))
    }
}
