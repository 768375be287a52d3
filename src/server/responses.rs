//! The answers that belong to no endpoint, in the form of the client-server API's "Standard error response".

use std::any::Any;

use axum::response::{IntoResponse as _, Response};
use plop_client_api::ApiError;

/// No such path (client-server API, "Common error codes": `M_UNRECOGNIZED`).
pub async fn unrecognized_path() -> ApiError {
    ApiError::unrecognized()
}

/// A path that is there, with another method.
pub async fn unrecognized_method() -> ApiError {
    ApiError::unrecognized_method()
}

/// A handler panicked. The panic itself is in the log, with the request's id.
pub fn panicked(_panic: Box<dyn Any + Send>) -> Response {
    ApiError::failed().into_response()
}
