//! Bodies that pages send: forms.

use axum::extract::{FromRequest, Request};
use serde::de::DeserializeOwned;

use super::bodies::HasBodies;
use super::body::Buffered;
use crate::error::ApiError;

/// A body in the encoding of forms (`application/x-www-form-urlencoded`).
pub struct Form<T>(pub T);

impl<S: HasBodies, T: DeserializeOwned> FromRequest<S> for Form<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let buffered = Buffered::read(request, state).await?;
        serde_html_form::from_bytes(buffered.bytes()).map(Self).map_err(ApiError::unreadable_parameters)
    }
}
