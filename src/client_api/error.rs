//! Answers to requests that are not carried out (client-server API, "Standard error response").
//!
//! Owns: [`ApiError`] and its form. Does not own: which outcome of the domain is which error ([`crate::errors`]).
//!
//! Invariants: an internal cause is logged here, once, and is not told to the client.

use std::fmt::Display;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::BytesMut;
use http::StatusCode;
use ruma::api::OutgoingResponseExt as _;
use ruma::api::client::uiaa::{UiaaInfo, UiaaResponse};
use ruma::api::error::{
    Error, ErrorBody, ErrorKind, LimitExceededErrorData, RetryAfter, StandardErrorBody, UnknownTokenErrorData,
};
use serde_json::{Map, Value};

/// A request that is not carried out.
#[derive(Debug)]
pub enum ApiError {
    Refused {
        status: StatusCode,
        kind: ErrorKind,
        message: String,
        /// What the answer has besides.
        extra: Option<Box<Map<String, Value>>>,
    },
    /// More has to be proven first (client-server API, "User-Interactive Authentication API").
    Challenge(Box<UiaaInfo>),
}

impl ApiError {
    /// An error with the status that the specification gives it.
    pub fn new(status: StatusCode, kind: ErrorKind, message: impl Display) -> Self {
        Self::Refused { status, kind, message: message.to_string(), extra: None }
    }

    /// The same with members that the specification gives the error besides.
    pub fn with(self, members: Map<String, Value>) -> Self {
        match self {
            Self::Refused { status, kind, message, extra: _ } => {
                Self::Refused { status, kind, message, extra: Some(Box::new(members)) }
            }
            Self::Challenge(info) => Self::Challenge(info),
        }
    }

    pub fn bad_request(kind: ErrorKind, message: impl Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, kind, message)
    }

    pub fn forbidden(message: impl Display) -> Self {
        Self::new(StatusCode::FORBIDDEN, ErrorKind::Forbidden, message)
    }

    pub fn not_found(message: impl Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, ErrorKind::NotFound, message)
    }

    pub fn invalid_param(message: impl Display) -> Self {
        Self::bad_request(ErrorKind::InvalidParam, message)
    }

    pub fn missing_param(message: impl Display) -> Self {
        Self::bad_request(ErrorKind::MissingParam, message)
    }

    /// Parameters that cannot be read. That one is missing can be told from serde's words only.
    pub fn unreadable_parameters(error: impl Display) -> Self {
        let message = error.to_string();
        if message.contains("missing field `") {
            Self::missing_param(message)
        } else {
            Self::invalid_param(message)
        }
    }

    /// `M_INVALID_SIGNATURE`.
    pub fn invalid_signature(message: impl Display) -> Self {
        Self::bad_request(kind("M_INVALID_SIGNATURE"), message)
    }

    pub fn too_large(message: impl Display) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorKind::TooLarge, message)
    }

    /// There are as many as there may be of what a user keeps here, or names in one request.
    pub fn too_many(message: impl Display) -> Self {
        Self::too_large(message)
    }

    /// There is no such path. An endpoint that is switched off is one that is not there.
    pub fn unrecognized() -> Self {
        Self::new(StatusCode::NOT_FOUND, ErrorKind::Unrecognized, "There is no such endpoint.")
    }

    /// A path that is there, with another method.
    pub fn unrecognized_method() -> Self {
        let message = "The endpoint does not have this method.";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, ErrorKind::Unrecognized, message)
    }

    /// Invitations by e-mail address or telephone number need an identity server.
    pub fn third_party_invites() -> Self {
        let message = "This server knows no invitations by e-mail address or telephone number.";
        Self::new(StatusCode::FORBIDDEN, ErrorKind::ThreepidDenied, message)
    }

    pub fn missing_token(message: impl Display) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, ErrorKind::MissingToken, message)
    }

    /// An access or refresh token that opens nothing; `soft_logout` where the session is still there.
    pub fn unknown_token(soft_logout: bool, message: impl Display) -> Self {
        let mut data = UnknownTokenErrorData::new();
        data.soft_logout = soft_logout;
        Self::new(StatusCode::UNAUTHORIZED, ErrorKind::UnknownToken(data), message)
    }

    /// Client-server API, "Account locking". ruma adds `soft_logout`.
    pub fn user_locked() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, ErrorKind::UserLocked, "The account is locked.")
    }

    /// Client-server API, "Account suspension".
    pub fn user_suspended() -> Self {
        Self::new(StatusCode::FORBIDDEN, ErrorKind::UserSuspended, "The account is suspended.")
    }

    /// Client-server API, "Guest access".
    pub fn guest_access_forbidden(message: impl Display) -> Self {
        Self::new(StatusCode::FORBIDDEN, ErrorKind::GuestAccessForbidden, message)
    }

    /// The same answer whatever is asked for, so that nobody learns from it what there is.
    pub fn not_admin() -> Self {
        Self::forbidden("The user is not an administrator of this server.")
    }

    /// In whole seconds, rounded up: the header knows no others, and a client that comes back in no time is refused again.
    pub fn limited(retry_after: Duration) -> Self {
        let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
        let mut data = LimitExceededErrorData::new();
        data.retry_after = Some(RetryAfter::Delay(Duration::from_secs(seconds)));
        Self::new(StatusCode::TOO_MANY_REQUESTS, ErrorKind::LimitExceeded(data), "Too many requests.")
    }

    /// Something here is broken: the log gets the cause, the client does not.
    pub fn internal(cause: impl Display) -> Self {
        tracing::error!(%cause, "a request failed");
        Self::failed()
    }

    /// The same for a cause that is in the log already.
    pub fn failed() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorKind::Unknown, "Internal server error.")
    }

    /// It cannot be done now, but may be later.
    pub fn unavailable(message: impl Display) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, ErrorKind::Unknown, message)
    }
}

/// A code that ruma has no variant for, only for what it reads.
pub fn kind(errcode: &str) -> ErrorKind {
    let code = serde_json::json!({ "errcode": errcode, "error": "" });
    let kind = serde_json::from_value::<StandardErrorBody>(code).map(|body| body.kind);
    kind.unwrap_or(ErrorKind::Unknown)
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let answer = match self {
            Self::Refused { status, kind, message, extra: Some(extra) } => {
                let mut members = Map::from_iter(*extra);
                members.insert("errcode".to_owned(), kind.errcode().as_str().into());
                members.insert("error".to_owned(), message.into());
                Error::new(status, ErrorBody::Json(members.into())).try_into_http_response::<BytesMut>()
            }
            Self::Refused { status, kind, message, extra: None } => {
                let body = ErrorBody::Standard(StandardErrorBody::new(kind, message));
                Error::new(status, body).try_into_http_response::<BytesMut>()
            }
            Self::Challenge(info) => UiaaResponse::AuthResponse(*info).try_into_http_response::<BytesMut>(),
        };
        match answer {
            Ok(answer) => answer.map(|body| Body::from(body.freeze())),
            Err(error) => {
                tracing::error!(%error, "an error answer cannot be written");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::header::RETRY_AFTER;

    use super::*;

    #[test]
    fn who_is_refused_for_a_moment_is_told_of_a_second() {
        for (millis, seconds) in [(1, "1"), (100, "1"), (1_000, "1"), (1_001, "2")] {
            let answer = ApiError::limited(Duration::from_millis(millis)).into_response();
            assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
            assert_eq!(answer.headers()[RETRY_AFTER], seconds, "{millis}");
        }
    }
}
