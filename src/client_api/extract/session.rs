//! Who asks: access tokens (client-server API, "Using access tokens").
//!
//! Owns: finding the token in a request, and what an account that is a guest's, locked, suspended or out of its budget may still do. Does not own: whose a
//! token is ([`plop_accounts`]), which endpoints let guests in ([`super::or_guest`]).
//!
//! Invariants: a request with no token, an empty one, or more than one is refused alike; a handler that takes none of these extractors is open
//! to everyone; a guest gets past none of them, whichever it is, unless the request is marked as one for guests ([`GuestsAdmitted`]).

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts, Query};
use http::header::{AUTHORIZATION, USER_AGENT};
use http::request::Parts;
use plop_accounts::Accounts;
use plop_accounts::sessions::{self, AccountStanding, Sighting};
use plop_base::Actor;
use ruma::UserId;
use serde::Deserialize;

use super::body::Known;
use super::client_address::ClientAddress;
use crate::budgets::{Budgets, Cost};
use crate::error::ApiError;

/// Marks requests to endpoints that let guests in: an extension. Whoever looks for the session once more finds it, too.
#[derive(Clone, Copy, Debug)]
pub struct GuestsAdmitted;

/// A session of an account in whatever standing: for logging out.
pub struct AnySession(Arc<sessions::Session>);

/// A session whose user can pay for the request ([`Budgets`]), and that may read, and do what a suspended account may (client-server API, "Account suspension").
pub struct Session(AnySession);

/// A session that may do everything.
pub struct ActiveSession(Session);

/// A session of an administrator that may do everything.
pub struct AdminSession(ActiveSession);

/// A [`Session`], or nobody's request. A token that opens nothing is refused as anywhere.
pub struct OptionalSession(Option<Session>);

impl OptionalSession {
    /// Who asks, if that is known.
    pub fn actor(&self) -> Option<&Actor> {
        self.0.as_ref().map(|session| session.actor())
    }

    /// The session, if there is one.
    pub fn into_session(self) -> Option<Session> {
        self.0
    }
}

impl AnySession {
    /// Who asks.
    pub fn actor(&self) -> &Actor {
        &self.0.actor
    }

    /// Waits until the session has ended, or its account may do something else ([`sessions::Session::changed`]).
    pub async fn changed(&self) {
        self.0.changed().await;
    }

    /// The user who asks. Sessions belong to users.
    pub fn user(&self) -> Result<&UserId, ApiError> {
        self.actor().user_id().ok_or_else(|| ApiError::internal("a session without a user"))
    }
}

impl Session {
    /// Whether the account is suspended: what others would see of it is then refused.
    pub fn is_suspended(&self) -> bool {
        self.0.0.standing == AccountStanding::Suspended
    }

    /// Whether the user is an administrator.
    pub fn is_admin(&self) -> bool {
        self.0.0.admin
    }

    /// The user for what concerns them only, or an administrator in their place.
    pub fn acting_as(&self, user: &UserId) -> Result<Actor, ApiError> {
        let own = self.user()?;
        if own == user {
            return Ok(self.actor().clone());
        }
        if !self.is_admin() || self.is_suspended() {
            return Err(ApiError::not_admin());
        }
        Ok(Actor::AdminAs { admin: own.to_owned(), user: user.to_owned() })
    }
}

impl AdminSession {
    /// The administrator, deciding about a user.
    pub fn about(&self, user: &UserId) -> Result<Actor, ApiError> {
        Ok(Actor::AdminAs { admin: self.0.user()?.to_owned(), user: user.to_owned() })
    }
}

impl AsRef<AnySession> for AnySession {
    fn as_ref(&self) -> &AnySession {
        self
    }
}

impl AsRef<AnySession> for Session {
    fn as_ref(&self) -> &AnySession {
        &self.0
    }
}

impl AsRef<AnySession> for ActiveSession {
    fn as_ref(&self) -> &AnySession {
        &self.0.0
    }
}

impl Deref for Session {
    type Target = AnySession;

    fn deref(&self) -> &AnySession {
        &self.0
    }
}

impl Deref for ActiveSession {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.0
    }
}

impl<S: Sync> FromRequestParts<S> for AnySession
where
    Accounts: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let token = token(parts)?.ok_or_else(|| ApiError::missing_token("An access token is needed."))?;
        let from = ClientAddress::from_request_parts(parts, state).await?;
        let user_agent = parts.headers.get(USER_AGENT).and_then(|name| name.to_str().ok());
        let sighting = Sighting { address: from.0, user_agent };
        let session = Accounts::from_ref(state).authenticate(&token, Some(sighting)).await?;
        if session.actor.is_guest() && parts.extensions.get::<GuestsAdmitted>().is_none() {
            return Err(ApiError::guest_access_forbidden("Guests may not do this."));
        }
        parts.extensions.insert(Known);
        Ok(Self(session))
    }
}

impl<S: Sync> FromRequestParts<S> for Session
where
    Accounts: FromRef<S>,
    Budgets: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let session = AnySession::from_request_parts(parts, state).await?;
        match session.0.standing {
            AccountStanding::Active | AccountStanding::Suspended => {}
            AccountStanding::Locked => return Err(ApiError::user_locked()),
        }
        if let Some(cost) = Cost::of(parts) {
            let from = ClientAddress::from_request_parts(parts, state).await?;
            Budgets::from_ref(state).take_from_user(session.user()?, from.0, cost)?;
        }
        Ok(Self(session))
    }
}

impl<S: Sync> FromRequestParts<S> for OptionalSession
where
    Accounts: FromRef<S>,
    Budgets: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match token(parts)? {
            Some(_) => Ok(Self(Some(Session::from_request_parts(parts, state).await?))),
            None => Ok(Self(None)),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for ActiveSession
where
    Accounts: FromRef<S>,
    Budgets: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let session = Session::from_request_parts(parts, state).await?;
        match session.0.0.standing {
            AccountStanding::Active => Ok(Self(session)),
            AccountStanding::Suspended | AccountStanding::Locked => Err(ApiError::user_suspended()),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for AdminSession
where
    Accounts: FromRef<S>,
    Budgets: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let session = ActiveSession::from_request_parts(parts, state).await?;
        if session.is_admin() { Ok(Self(session)) } else { Err(ApiError::not_admin()) }
    }
}

/// Tokens in the query, where older clients put them.
#[derive(Deserialize)]
struct InQuery {
    access_token: Option<String>,
}

/// The one access token of a request, if it has any.
fn token(parts: &Parts) -> Result<Option<String>, ApiError> {
    let in_query = Query::<InQuery>::try_from_uri(&parts.uri)
        .map_err(|_| ApiError::missing_token("The query has more than one access token."))?
        .0
        .access_token;
    let in_header = parts.headers.get_all(AUTHORIZATION);
    let in_header = in_header.iter().map(|value| {
        let text = value.to_str().unwrap_or_default();
        text.split_once(' ')
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map_or("", |(_, token)| token.trim())
            .to_owned()
    });
    let mut tokens = in_header.chain(in_query);
    match (tokens.next(), tokens.next()) {
        (None, _) => Ok(None),
        (Some(token), None) if !token.is_empty() => Ok(Some(token)),
        (Some(_), _) => Err(ApiError::missing_token("The request must have one access token.")),
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn parts(uri: &str, headers: &[&str]) -> Parts {
        let request =
            headers.iter().fold(Request::get(uri), |request, header| request.header(AUTHORIZATION, *header));
        request.body(()).expect("a request").into_parts().0
    }

    #[test]
    fn one_token_is_found_in_either_place() {
        for (uri, headers) in
            [("/a", ["Bearer abc"].as_slice()), ("/a", &["bearer  abc"]), ("/a?access_token=abc", &[])]
        {
            assert_eq!(
                token(&parts(uri, headers)).expect("a token").as_deref(),
                Some("abc"),
                "{uri} {headers:?}"
            );
        }
        assert_eq!(token(&parts("/a?b=c", &[])).expect("no error"), None);
    }

    /// Row 118 of the hostile input: empty, two, header and query.
    #[test]
    fn row_118_no_request_has_an_empty_token_or_two() {
        let refused: [(&str, &[&str]); 7] = [
            ("/a", &["Bearer "]),
            ("/a", &["Bearer"]),
            ("/a", &["Basic abc"]),
            ("/a?access_token=", &[]),
            ("/a", &["Bearer abc", "Bearer abc"]),
            ("/a?access_token=abc", &["Bearer abc"]),
            ("/a?access_token=abc&access_token=abc", &[]),
        ];
        for (uri, headers) in refused {
            assert!(token(&parts(uri, headers)).is_err(), "{uri} {headers:?}");
        }
    }
}
