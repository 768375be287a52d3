//! `POST /v3/logout` and `/v3/logout/all`: what a locked account can still do. The body says nothing and is not read.

use axum::extract::State;
use plop_accounts::Accounts;
use ruma::api::client::session::{logout, logout_all};

use crate::error::ApiError;
use crate::extract::{AnySession, Ruma};

/// `POST /_matrix/client/v3/logout` (client-server API, "Login"). For users, locked ones too.
pub async fn logout(
    State(accounts): State<Accounts>,
    session: AnySession,
) -> Result<Ruma<logout::v3::Response>, ApiError> {
    accounts.logout(session.actor()).await?;
    Ok(Ruma(logout::v3::Response::new()))
}

/// `POST /_matrix/client/v3/logout/all` (client-server API, "Login"). For users, locked ones too.
pub async fn logout_all(
    State(accounts): State<Accounts>,
    session: AnySession,
) -> Result<Ruma<logout_all::v3::Response>, ApiError> {
    accounts.logout_all(session.actor()).await?;
    Ok(Ruma(logout_all::v3::Response::new()))
}
