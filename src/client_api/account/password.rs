//! `POST /v3/account/password`.

use axum::extract::State;
use plop_accounts::Accounts;
use plop_accounts::uia::UiaOperation;
use ruma::api::client::account::change_password::v3::{Request, Response};

use crate::error::ApiError;
use crate::extract::{ClientAddress, Interactive, Ruma, Session};

/// `POST /_matrix/client/v3/account/password` (client-server API, "Password management"). For users, with interactive authentication: the old
/// password is all that there is to prove, so nobody gets here without a session.
pub async fn change(
    State(accounts): State<Accounts>,
    session: Session,
    from: ClientAddress,
    request: Interactive<Request>,
) -> Result<Ruma<Response>, ApiError> {
    request.authorize_user(&accounts, session.actor(), UiaOperation::ChangePassword, from).await?;
    let Request { new_password, logout_devices, .. } = request.request;
    accounts.change_password(session.actor(), new_password.into(), logout_devices).await?;
    Ok(Ruma(Response::new()))
}
