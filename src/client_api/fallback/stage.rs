//! `GET` and `POST /auth/{authType}/fallback/web`.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use plop_accounts::Accounts;
use plop_accounts::uia::Stage;
use plop_accounts::uia_fallback::{FallbackError, FallbackProof};
use serde::Deserialize;

use super::texts;
use crate::error::ApiError;
use crate::extract::{ClientAddress, Form, Path, Query};
use crate::page::Page;

/// The script that tells the client, as the specification has it.
const AUTH_DONE: &str = include_str!("auth_done.js");

/// What the address carries.
#[derive(Deserialize)]
pub struct Session {
    session: String,
}

/// What is typed in, of whichever stage.
#[derive(Deserialize)]
pub struct Typed {
    token: Option<String>,
    address: Option<String>,
    sid: Option<String>,
}

/// `GET /_matrix/client/v3/auth/{authType}/fallback/web` (client-server API, "Fallback"). For who knows the session.
pub async fn show(
    State(accounts): State<Accounts>,
    Path(kind): Path<String>,
    Query(Session { session }): Query<Session>,
) -> Result<Response, ApiError> {
    let stage = stage(&kind)?;
    let shown = match accounts.fallback_stage(&session, stage) {
        Ok(shown) if shown.completed => return Ok(done()),
        Ok(shown) => shown,
        Err(error) => return refused(stage, error, None),
    };
    Ok(page(
        StatusCode::OK,
        &match stage {
            Stage::Terms => texts::terms(&shown.policies),
            Stage::RegistrationToken => texts::registration_token(None),
            Stage::EmailIdentity => texts::address(None),
            Stage::Dummy | Stage::Password => texts::dummy(),
        },
    ))
}

/// `POST /_matrix/client/v3/auth/{authType}/fallback/web` (client-server API, "Fallback"): the page's button. For who knows the session.
pub async fn complete(
    State(accounts): State<Accounts>,
    from: ClientAddress,
    Path(kind): Path<String>,
    Query(Session { session }): Query<Session>,
    Form(typed): Form<Typed>,
) -> Result<Response, ApiError> {
    let stage = stage(&kind)?;
    let proof = match (stage, typed) {
        (Stage::Terms, _) => FallbackProof::Terms,
        (Stage::Dummy | Stage::Password, _) => FallbackProof::Dummy,
        (Stage::RegistrationToken, Typed { token, .. }) => {
            FallbackProof::RegistrationToken(token.unwrap_or_default().trim().to_owned())
        }
        (Stage::EmailIdentity, Typed { sid: Some(sid), .. }) => FallbackProof::EmailIdentity { sid },
        (Stage::EmailIdentity, Typed { address, .. }) => {
            let address = address.unwrap_or_default();
            return match accounts.mail_by_fallback(&session, address, from.0).await {
                Ok(sid) => Ok(page(StatusCode::OK, &texts::mail_sent(&sid, None))),
                Err(error) => refused(stage, error, None),
            };
        }
    };
    let sid = match &proof {
        FallbackProof::EmailIdentity { sid } => Some(sid.clone()),
        FallbackProof::Dummy | FallbackProof::Terms | FallbackProof::RegistrationToken(_) => None,
    };
    match accounts.complete_by_fallback(&session, proof, from.0).await {
        Ok(()) => Ok(done()),
        Err(error) => refused(stage, error, sid.as_deref()),
    }
}

/// The stages that have a page.
fn stage(kind: &str) -> Result<Stage, ApiError> {
    let with_page = [Stage::Dummy, Stage::Terms, Stage::RegistrationToken, Stage::EmailIdentity];
    with_page.into_iter().find(|stage| stage.as_str() == kind).ok_or_else(ApiError::unrecognized)
}

/// The page again, with the reason, where another try may help.
fn refused(stage: Stage, error: FallbackError, sid: Option<&str>) -> Result<Response, ApiError> {
    let again = |content: String| Ok(page(StatusCode::BAD_REQUEST, &content));
    match error {
        FallbackError::UnknownSession | FallbackError::NotOffered => {
            Ok(page(StatusCode::NOT_FOUND, &texts::gone()))
        }
        FallbackError::InvalidRegistrationToken => again(texts::registration_token(Some(&error.to_string()))),
        FallbackError::EmailNotValidated => {
            again(texts::mail_sent(sid.unwrap_or_default(), Some(&error.to_string())))
        }
        FallbackError::Email(error) if stage == Stage::EmailIdentity => match error.into() {
            ApiError::Refused { status, message, .. } if status.is_client_error() => {
                Ok(page(status, &texts::address(Some(&message))))
            }
            error => Err(error),
        },
        FallbackError::Email(error) => Err(error.into()),
        FallbackError::Limited(error) => Err(error.into()),
        FallbackError::Busy(error) => Err(error.into()),
        FallbackError::Store(error) => Err(error.into()),
    }
}

fn page(status: StatusCode, content: &str) -> Response {
    Page { status, title: "Authentication", content, script: None, may: "; form-action 'self'" }.response()
}

fn done() -> Response {
    let (script, may) = (Some(AUTH_DONE), "; form-action 'none'");
    let content = &texts::done();
    Page { status: StatusCode::OK, title: "Authentication", content, script, may }.response()
}
