//! Where a request comes from.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::error::ApiError;

/// The address of the client, as the composition root found out (a reverse proxy may be in between); an extension of each request.
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress(pub IpAddr);

impl<S: Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let address = parts.extensions.get::<Self>().copied();
        address.ok_or_else(|| ApiError::internal("the request has no client address"))
    }
}
