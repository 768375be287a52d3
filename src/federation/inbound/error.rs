//! Answers to requests that are not carried out (client-server API, "Standard error response": servers get the same form).

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use plop_accounts::openid::OpenIdError;
use serde_json::json;

/// A request that is not carried out.
#[derive(Debug)]
pub struct FederationError {
    status: StatusCode,
    errcode: &'static str,
    message: String,
}

impl FederationError {
    /// No token where one is needed.
    pub fn missing_token() -> Self {
        let message = "A token is needed.".to_owned();
        Self { status: StatusCode::UNAUTHORIZED, errcode: "M_MISSING_TOKEN", message }
    }

    fn unknown_token(message: impl ToString) -> Self {
        Self { status: StatusCode::UNAUTHORIZED, errcode: "M_UNKNOWN_TOKEN", message: message.to_string() }
    }

    /// Something here is broken: the log gets the cause, who asks does not.
    fn internal(cause: impl ToString) -> Self {
        tracing::error!(cause = cause.to_string(), "a request failed");
        let message = "Internal server error.".to_owned();
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, errcode: "M_UNKNOWN", message }
    }
}

impl From<OpenIdError> for FederationError {
    fn from(error: OpenIdError) -> Self {
        match error {
            OpenIdError::UnknownToken | OpenIdError::NoAccount | OpenIdError::Forbidden(_) => {
                Self::unknown_token(error)
            }
            OpenIdError::Store(error) => Self::internal(error),
        }
    }
}

impl IntoResponse for FederationError {
    fn into_response(self) -> Response {
        let body = json!({ "errcode": self.errcode, "error": self.message }).to_string();
        let kind = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        (self.status, [kind], body).into_response()
    }
}
