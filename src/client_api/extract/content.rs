//! Contents of events.
//!
//! Owns: reading a body, or a part of one, that goes into an event. Does not own: what a type of event may hold.
//!
//! Invariants: there is one parser for what goes into events, and it is strict: numbers that are no integers or too large, duplicate keys and lone
//! surrogates are refused before anything else is looked at.

use axum::extract::{FromRequest, Request};
use plop_state::json::{JsonError, NumberRule, Object, parse_object};
use ruma::serde::Raw;

use super::bodies::HasBodies;
use super::body::Buffered;
use crate::error::ApiError;

/// A body that is the content of an event.
pub struct Content(pub Object);

/// A body that becomes a part of a content; it may be absent, as older clients send it.
pub struct Addition(pub Object);

impl<S: HasBodies> FromRequest<S> for Content {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let buffered = Buffered::read(request, state).await?;
        Ok(Self(parse_object(buffered.bytes(), NumberRule::Strict)?))
    }
}

impl<S: HasBodies> FromRequest<S> for Addition {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let buffered = Buffered::read(request, state).await?;
        match buffered.bytes() {
            [] => Ok(Self(Object::new())),
            body => Ok(Self(parse_object(body, NumberRule::Strict)?)),
        }
    }
}

/// An object inside of a body.
pub fn object<T>(raw: &Raw<T>) -> Result<Object, JsonError> {
    parse_object(raw.json().get().as_bytes(), NumberRule::Strict)
}
