//! Interactive authentication at the edge (client-server API, "User-Interactive Authentication API").
//!
//! Owns: reading `auth` from a body, writing the challenge. Does not own: sessions, proofs, flows ([`plop_accounts::uia`]).

use axum::extract::{FromRef, FromRequest, Request};
use plop_accounts::Accounts;
use plop_accounts::uia::{Authorized, Challenge, Failure, Proof, Stage, Submission, UiaError, UiaRequest};
use plop_base::Clock;
use ruma::api::IncomingRequest;
use ruma::api::client::uiaa::{AuthData, AuthFlow, AuthType, UiaaInfo, UserIdentifier};
use ruma::api::error::{ErrorKind, StandardErrorBody};
use serde_json::{Map, Value};

use super::ruma::{Buffered, json_error};
use crate::error::ApiError;

/// A request that has to be authorised interactively, with its whole body, which the proofs are bound to.
pub struct Interactive<R> {
    pub request: R,
    pub body: Map<String, Value>,
}

impl<S, R> FromRequest<S> for Interactive<R>
where
    S: Sync,
    Clock: FromRef<S>,
    R: IncomingRequest,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let buffered = Buffered::read(request, &Clock::from_ref(state)).await?;
        let request = buffered.parse()?;
        let body = match buffered.body.as_ref() {
            [] => Map::new(),
            body => serde_json::from_slice(body).map_err(|error| json_error(&error))?,
        };
        Ok(Self { request, body })
    }
}

/// Authorises a request with the `auth` of its body.
///
/// # Errors
/// [`ApiError::Challenge`] while something is still to be proven.
pub async fn authorize(
    accounts: &Accounts,
    request: &UiaRequest<'_>,
    auth: Option<AuthData>,
) -> Result<Authorized, ApiError> {
    accounts.authorize(request, auth.map(submission)).await.map_err(|error| match error {
        UiaError::Challenge(challenge) => ApiError::Challenge(Box::new(info(*challenge))),
        UiaError::Limited(limited) => limited.into(),
        UiaError::Busy(busy) => busy.into(),
        UiaError::Store(error) => error.into(),
    })
}

fn submission(auth: AuthData) -> Submission {
    let session = auth.session().map(ToOwned::to_owned);
    let proof = match auth {
        AuthData::Dummy(_) => Some(Proof::Dummy),
        AuthData::Password(password) => Some(match user_name(password.identifier) {
            Some(user) => Proof::Password { user, password: password.password.as_str().into() },
            None => Proof::Unknown,
        }),
        AuthData::RegistrationToken(token) => Some(Proof::RegistrationToken(token.token)),
        AuthData::FallbackAcknowledgement(_) => None,
        // An `auth` without a type asks how things stand.
        other => other.auth_type().filter(|kind| !kind.as_str().is_empty()).map(|_| Proof::Unknown),
    };
    Submission { session, proof }
}

/// User id or localpart; `None` for identifiers that this server does not know.
pub fn user_name(identifier: UserIdentifier) -> Option<String> {
    match identifier {
        UserIdentifier::Matrix(matrix) => Some(matrix.user),
        _ => None,
    }
}

fn info(challenge: Challenge) -> UiaaInfo {
    let types = |stages: Vec<Stage>| stages.into_iter().map(|stage| AuthType::from(stage.as_str())).collect();
    let mut info =
        UiaaInfo::new(challenge.flows.into_iter().map(|flow| AuthFlow::new(types(flow))).collect());
    info.completed = types(challenge.completed);
    info.session = Some(challenge.session);
    // "params" is required; none of the stages has any.
    info.params = serde_json::value::to_raw_value(&Map::new()).ok();
    info.auth_error = challenge.failure.map(|failure| Box::new(failed(failure)));
    info
}

fn failed(failure: Failure) -> StandardErrorBody {
    let (kind, message) = match failure {
        Failure::WrongCredentials => (ErrorKind::Forbidden, "Wrong user name or password."),
        Failure::InvalidRegistrationToken => {
            (ErrorKind::Unauthorized, "The registration token is not valid.")
        }
        Failure::UnexpectedStage => (ErrorKind::Unrecognized, "No flow has this stage."),
        Failure::UnknownSession => {
            (ErrorKind::Unknown, "The session is not there, or belongs to another request.")
        }
    };
    StandardErrorBody::new(kind, message.to_owned())
}
