//! `POST /v3/refresh`.

use axum::extract::State;
use plop_accounts::Accounts;
use ruma::api::client::session::refresh_token::v3::{Request, Response};

use crate::error::ApiError;
use crate::extract::Ruma;

/// `POST /_matrix/client/v3/refresh` (client-server API, "Refreshing access tokens"). The refresh token is the authentication.
pub async fn refresh(
    State(accounts): State<Accounts>,
    Ruma(request): Ruma<Request>,
) -> Result<Ruma<Response>, ApiError> {
    let tokens = accounts.refresh(&request.refresh_token).await?;
    let mut response = Response::new(tokens.access);
    response.refresh_token = tokens.refresh;
    response.expires_in_ms = tokens.expires_in;
    Ok(Ruma(response))
}
