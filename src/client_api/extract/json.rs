//! Bodies that ruma has no type for, or whose type loses something.
//!
//! Owns: JSON of our own types, and JSON that is stored as text and answered as it is. Does not own: reading the body ([`super::body`]).

use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::bodies::HasBodies;
use super::body::Buffered;
use crate::error::ApiError;

/// A body, of a request or a response.
pub struct Json<T>(pub T);

/// A body that is JSON already.
pub struct JsonText(pub String);

impl<S: HasBodies, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        Buffered::read(request, state).await?.json().map(Self)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_string(&self.0) {
            Ok(text) => JsonText(text).into_response(),
            Err(error) => ApiError::internal(error).into_response(),
        }
    }
}

impl IntoResponse for JsonText {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], self.0).into_response()
    }
}
