//! `POST /v1/login/get_token`.

use axum::extract::State;
use plop_accounts::Accounts;
use plop_accounts::uia::UiaOperation;
use ruma::api::client::session::get_login_token::v1::{Request, Response};

use crate::error::ApiError;
use crate::extract::{ClientAddress, Interactive, Ruma, Session};

/// `POST /_matrix/client/v1/login/get_token` (client-server API, "Login"). For users, with interactive authentication.
pub async fn get_token(
    State(accounts): State<Accounts>,
    session: Session,
    from: ClientAddress,
    request: Interactive<Request>,
) -> Result<Ruma<Response>, ApiError> {
    let operation = UiaOperation::MakeLoginToken;
    let authorized = request.authorize_user(&accounts, session.actor(), operation, from).await?;
    let (token, lifetime) = accounts.make_login_token(session.actor(), authorized)?;
    Ok(Ruma(Response::new(lifetime, token)))
}
