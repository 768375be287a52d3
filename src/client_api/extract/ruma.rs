//! Typed requests and responses: ruma's types, read and written in one place.
//!
//! Owns: the extractors and the responder for them. Does not own: the types, reading the body ([`super::body`]).

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use bytes::BytesMut;
use ruma::api::{IncomingRequest, OutgoingResponse, OutgoingResponseExt as _};

use super::bodies::HasBodies;
use super::body::Buffered;
use crate::error::ApiError;

/// A request, or a response, of one of ruma's endpoints.
pub struct Ruma<T>(pub T);

impl<S: HasBodies, R: IncomingRequest> FromRequest<S> for Ruma<R> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        Buffered::read(request, state).await?.parse().map(Self)
    }
}

impl<R: OutgoingResponse> IntoResponse for Ruma<R> {
    fn into_response(self) -> Response {
        match self.0.try_into_http_response::<BytesMut>() {
            Ok(answer) => answer.map(|body| Body::from(body.freeze())),
            Err(error) => ApiError::internal(error).into_response(),
        }
    }
}
