//! `GET /openid/userinfo`.

use axum::Json;
use axum::extract::{Query, State};
use http::Uri;
use plop_accounts::Accounts;
use ruma::OwnedUserId;
use serde::{Deserialize, Serialize};

use crate::error::FederationError;

/// What a service was given by a client.
#[derive(Deserialize)]
struct Token {
    access_token: Option<String>,
}

/// The answer.
#[derive(Serialize)]
pub struct UserInfo {
    sub: OwnedUserId,
}

/// `GET /_matrix/federation/v1/openid/userinfo` (server-server API, "OpenID"). For who has a token of
/// `POST /user/{userId}/openid/request_token`; servers do not sign it.
pub async fn userinfo(State(accounts): State<Accounts>, uri: Uri) -> Result<Json<UserInfo>, FederationError> {
    let token = Query::<Token>::try_from_uri(&uri).ok().and_then(|Query(token)| token.access_token);
    let token = token.filter(|token| !token.is_empty()).ok_or_else(FederationError::missing_token)?;
    Ok(Json(UserInfo { sub: accounts.openid_user(&token).await? }))
}
