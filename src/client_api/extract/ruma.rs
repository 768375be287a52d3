//! Typed requests and responses: ruma's types, read and written in one place.
//!
//! Owns: reading a body under its limit and deadline, parsing, the errors for what cannot be parsed. Does not own: the types.
//!
//! Invariants: a body is read whole and is bounded; what is no request of the endpoint changes nothing. The content type is not looked at: browsers and
//! older clients send others than `application/json`, and a form is no JSON.

use std::time::Duration;

use axum::RequestExt as _;
use axum::body::Body;
use axum::extract::{FromRef, FromRequest, RawPathParams, Request};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use plop_base::Clock;
use ruma::api::error::{DeserializationError, ErrorKind, FromHttpRequestError};
use ruma::api::{IncomingRequest, IncomingRequestExt as _, OutgoingResponse, OutgoingResponseExt as _};
use serde_json::error::Category;

use crate::error::ApiError;

/// How long a client may take to send a body after its head. The largest body is a megabyte, unless an administrator chose otherwise.
const BODY_DEADLINE: Duration = Duration::from_secs(60);

/// A request, or a response, of one of ruma's endpoints.
pub struct Ruma<T>(pub T);

impl<S, R> FromRequest<S> for Ruma<R>
where
    S: Sync,
    Clock: FromRef<S>,
    R: IncomingRequest,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        Buffered::read(request, &Clock::from_ref(state)).await?.parse().map(Self)
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

/// A request whose body is here.
pub(super) struct Buffered {
    head: http::request::Parts,
    /// The decoded parameters of the path, in their order.
    path: Vec<String>,
    pub body: Bytes,
}

impl Buffered {
    pub async fn read(mut request: Request, clock: &Clock) -> Result<Self, ApiError> {
        let path = request.extract_parts::<RawPathParams>().await;
        let path = path.map_err(|error| ApiError::invalid_param(error.body_text()))?;
        let path = path.iter().map(|(_, value)| value.to_owned()).collect();
        // Takes the limit with it, which is an extension.
        let (head, body) = request.into_parts();
        let request = Request::from_parts(head.clone(), body);
        let body = clock.timeout(BODY_DEADLINE, Bytes::from_request(request, &())).await;
        let Some(body) = body else {
            let message = "The body did not come in time.";
            return Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, ErrorKind::Unknown, message));
        };
        let body = body.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => ApiError::too_large("The body is too large."),
            _ => ApiError::bad_request(ErrorKind::NotJson, "The body cannot be read."),
        })?;
        Ok(Self { head, path, body })
    }

    pub fn parse<R: IncomingRequest>(&self) -> Result<R, ApiError> {
        let mut request = http::Request::new(self.body.as_ref());
        *request.method_mut() = self.head.method.clone();
        *request.uri_mut() = self.head.uri.clone();
        *request.headers_mut() = self.head.headers.clone();
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        R::try_from_http_request(request, &path).map_err(unreadable)
    }
}

/// The error for what is no request of the endpoint (client-server API, "Common error codes").
fn unreadable(error: FromHttpRequestError) -> ApiError {
    match error {
        FromHttpRequestError::Deserialization(DeserializationError::Json(error)) => json_error(&error),
        FromHttpRequestError::Deserialization(DeserializationError::Utf8(error)) => {
            ApiError::bad_request(ErrorKind::NotJson, error)
        }
        FromHttpRequestError::Deserialization(error) => ApiError::invalid_param(error),
        error => ApiError::bad_request(ErrorKind::Unrecognized, error),
    }
}

/// JSON that cannot be read, or is not what the endpoint takes.
pub fn json_error(error: &serde_json::Error) -> ApiError {
    let kind = match error.classify() {
        Category::Data => ErrorKind::BadJson,
        Category::Io | Category::Syntax | Category::Eof => ErrorKind::NotJson,
    };
    ApiError::bad_request(kind, error)
}
