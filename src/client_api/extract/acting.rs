//! Whoever does something is there (client-server API, "Presence": "Last active ago").
//!
//! Owns: which requests are signs of a user: those whose handler takes [`Acting`]. Does not own: what becomes of the sign ([`plop_ephemeral`]).
//!
//! Invariant: the sign is that of the request, whatever its outcome; a request that is not authenticated is none.

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use http::request::Parts;
use plop_ephemeral::Presence;

use super::session::AnySession;
use crate::error::ApiError;

/// A session, for requests that a person makes who is at the keyboard: sending, typing, reading.
pub struct Acting<T>(pub T);

impl<S, T> FromRequestParts<S> for Acting<T>
where
    S: Sync,
    T: FromRequestParts<S, Rejection = ApiError> + AsRef<AnySession> + Send,
    Arc<Presence>: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let session = T::from_request_parts(parts, state).await?;
        let who = session.as_ref();
        Arc::<Presence>::from_ref(state).act(who.actor(), who.user()?).await?;
        Ok(Self(session))
    }
}

impl<T> Deref for Acting<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
