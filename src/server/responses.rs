//! The answers that belong to no endpoint, in the form of the client-server API's "Standard error response".

use std::any::Any;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

#[derive(Serialize)]
struct MatrixError {
    errcode: &'static str,
    error: &'static str,
}

fn answer(status: StatusCode, errcode: &'static str, error: &'static str) -> Response {
    (status, Json(MatrixError { errcode, error })).into_response()
}

/// No such path (client-server API, "Common error codes": `M_UNRECOGNIZED`).
pub async fn unrecognized_path() -> Response {
    answer(StatusCode::NOT_FOUND, "M_UNRECOGNIZED", "There is no such endpoint.")
}

/// A path that is there, with another method.
pub async fn unrecognized_method() -> Response {
    answer(StatusCode::METHOD_NOT_ALLOWED, "M_UNRECOGNIZED", "The endpoint does not have this method.")
}

/// A handler panicked. The panic itself is in the log, with the request's id.
pub fn panicked(_panic: Box<dyn Any + Send>) -> Response {
    answer(StatusCode::INTERNAL_SERVER_ERROR, "M_UNKNOWN", "Internal server error.")
}
