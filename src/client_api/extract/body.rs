//! Bodies of requests, read whole.
//!
//! Owns: the errors for what cannot be read. Does not own: limits ([`super::bodies`]), what endpoints take from a body.
//!
//! Invariants: a body is bounded; what is no request of the endpoint changes nothing. The content type is not looked at: browsers and older
//! clients send others than `application/json`, and a form is no JSON.

use std::time::Duration;

use axum::RequestExt as _;
use axum::extract::{RawPathParams, Request};
use http::StatusCode;
use http::header::CONTENT_ENCODING;
use ruma::api::error::{DeserializationError, ErrorKind, FromHttpRequestError};
use ruma::api::{IncomingRequest, IncomingRequestExt as _};
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use serde_json::{Map, Value};

use super::bodies::{HasBodies, ReadBody, Unread};
use crate::error::ApiError;

/// When to come again where too much is being read at present.
const AGAIN: Duration = Duration::from_secs(1);

/// Marks the requests that have a session: an extension, which whoever finds the session sets. All others are those of strangers.
#[derive(Clone, Copy, Debug)]
pub struct Known;

/// A request whose body is here.
pub struct Buffered {
    head: http::request::Parts,
    /// The decoded parameters of the path, in their order.
    path: Vec<String>,
    body: ReadBody,
}

impl Buffered {
    pub async fn read(mut request: Request, state: &impl HasBodies) -> Result<Self, ApiError> {
        let path = request.extract_parts::<RawPathParams>().await;
        let path = path.map_err(|error| ApiError::invalid_param(error.body_text()))?;
        let path = path.iter().map(|(_, value)| value.to_owned()).collect();
        let (head, body) = request.into_parts();
        if head.headers.get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
            let message = "Bodies are taken as they are, not inflated.";
            return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, ErrorKind::Unknown, message));
        }
        let is_strangers = head.extensions.get::<Known>().is_none();
        let body = state.bodies().read(body, is_strangers).await.map_err(|unread| match unread {
            Unread::TooLarge => ApiError::too_large("The body is too large."),
            Unread::Late => {
                let message = "The body did not come in time.";
                ApiError::new(StatusCode::REQUEST_TIMEOUT, ErrorKind::Unknown, message)
            }
            Unread::Busy => ApiError::limited(AGAIN),
            Unread::Broken => ApiError::bad_request(ErrorKind::NotJson, "The body cannot be read."),
        })?;
        Ok(Self { head, path, body })
    }

    /// As a request of one of ruma's endpoints.
    pub fn parse<R: IncomingRequest>(&self) -> Result<R, ApiError> {
        self.parse_with(&self.body.bytes)
    }

    /// The same with another body.
    pub fn parse_with<R: IncomingRequest>(&self, body: &[u8]) -> Result<R, ApiError> {
        check_no_list(body)?;
        let mut request = http::Request::new(body);
        *request.method_mut() = self.head.method.clone();
        *request.uri_mut() = self.head.uri.clone();
        *request.headers_mut() = self.head.headers.clone();
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        R::try_from_http_request(request, &path).map_err(unreadable)
    }

    /// The body as it came.
    pub fn bytes(&self) -> &[u8] {
        &self.body.bytes
    }

    /// The body alone.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        check_no_list(&self.body.bytes)?;
        serde_json::from_slice(&self.body.bytes).map_err(|error| json_error(&error))
    }

    /// The body as an object; none at all is an empty one, which is how some clients send it.
    pub fn object(&self) -> Result<Map<String, Value>, ApiError> {
        if self.body.bytes.is_empty() { Ok(Map::new()) } else { self.json() }
    }
}

/// No endpoint takes a list; the derived readers of structures would take one for the values of their fields.
fn check_no_list(body: &[u8]) -> Result<(), ApiError> {
    match body.trim_ascii_start().first() {
        Some(b'[') => Err(ApiError::bad_request(ErrorKind::BadJson, "The body is no object.")),
        _ => Ok(()),
    }
}

/// The error for what is no request of the endpoint (client-server API, "Common error codes").
fn unreadable(error: FromHttpRequestError) -> ApiError {
    match error {
        FromHttpRequestError::Deserialization(DeserializationError::Json(error)) => json_error(&error),
        FromHttpRequestError::Deserialization(DeserializationError::Utf8(error)) => {
            ApiError::bad_request(ErrorKind::NotJson, error)
        }
        FromHttpRequestError::Deserialization(error) => ApiError::unreadable_parameters(error),
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
