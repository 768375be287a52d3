//! `GET` and `PUT /v1/admin/lock/{userId}`.

use axum::extract::State;
use plop_accounts::Accounts;
use plop_accounts::moderation::Decision;
use ruma::api::client::admin::{is_user_locked, lock_user};

use crate::error::ApiError;
use crate::extract::{AdminSession, Ruma};

/// `GET /_matrix/client/v1/admin/lock/{userId}` (client-server API, "Server Administration"). For administrators.
pub async fn get(
    State(accounts): State<Accounts>,
    session: AdminSession,
    Ruma(request): Ruma<is_user_locked::v1::Request>,
) -> Result<Ruma<is_user_locked::v1::Response>, ApiError> {
    let actor = session.about(&request.user_id)?;
    let decided = accounts.moderation(&actor, &request.user_id).await?;
    Ok(Ruma(is_user_locked::v1::Response::new(decided.locked)))
}

/// `PUT /_matrix/client/v1/admin/lock/{userId}` (client-server API, "Server Administration"). For administrators.
pub async fn set(
    State(accounts): State<Accounts>,
    session: AdminSession,
    Ruma(request): Ruma<lock_user::v1::Request>,
) -> Result<Ruma<lock_user::v1::Response>, ApiError> {
    let actor = session.about(&request.user_id)?;
    accounts.decide(&actor, &request.user_id, Decision::Locked(request.locked)).await?;
    Ok(Ruma(lock_user::v1::Response::new(request.locked)))
}
