//! `GET /.well-known/matrix/client`.

use std::sync::Arc;

use axum::extract::State;
use ruma::api::client::discovery::discover_homeserver::{HomeserverInfo, Response};

use crate::api::Settings;
use crate::error::ApiError;
use crate::extract::Ruma;

/// `GET /.well-known/matrix/client` (client-server API, "Well-known URIs"). For everyone. Without a configured address there is nothing to
/// say: clients then stay where they are.
pub async fn client(State(settings): State<Arc<Settings>>) -> Result<Ruma<Response>, ApiError> {
    let url = settings.public_url.clone();
    let url = url.ok_or_else(|| ApiError::not_found("There is nothing to discover."))?;
    Ok(Ruma(Response::new(HomeserverInfo::new(url))))
}
