//! Guests at the door (client-server API, "Guest access").
//!
//! Owns: which endpoints let guests in: those whose handler takes [`OrGuest`]. Does not own: the refusal at all others ([`super::session`]), what guests may
//! do inside (the parts below decide about [`plop_base::Actor::Guest`]).

use std::ops::Deref;

use axum::extract::FromRequestParts;
use http::request::Parts;

use super::session::{AnySession, GuestsAdmitted};
use crate::error::ApiError;

/// A session, which may be that of a guest.
pub struct OrGuest<T>(pub T);

impl<S, T> FromRequestParts<S> for OrGuest<T>
where
    S: Sync,
    T: FromRequestParts<S, Rejection = ApiError>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        parts.extensions.insert(GuestsAdmitted);
        T::from_request_parts(parts, state).await.map(Self)
    }
}

impl<T: AsRef<AnySession>> AsRef<AnySession> for OrGuest<T> {
    fn as_ref(&self) -> &AnySession {
        self.0.as_ref()
    }
}

impl<T> Deref for OrGuest<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
