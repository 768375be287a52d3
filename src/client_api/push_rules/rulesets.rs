//! All rules of a user.

use axum::extract::State;
use plop_accounts::Accounts;
use ruma::api::client::push::{get_pushrules_all, get_pushrules_global_scope};

use crate::error::ApiError;
use crate::extract::{Ruma, Session};

/// `GET /_matrix/client/v3/pushrules/` (client-server API, "Push Rules: API"). For users.
pub async fn all(
    State(accounts): State<Accounts>,
    session: Session,
) -> Result<Ruma<get_pushrules_all::v3::Response>, ApiError> {
    let rules = accounts.push_rules(session.actor(), session.user()?).await?;
    Ok(Ruma(get_pushrules_all::v3::Response::new(rules)))
}

/// `GET /_matrix/client/v3/pushrules/global/` (client-server API, "Push Rules: API"). For users.
pub async fn global(
    State(accounts): State<Accounts>,
    session: Session,
) -> Result<Ruma<get_pushrules_global_scope::v3::Response>, ApiError> {
    let rules = accounts.push_rules(session.actor(), session.user()?).await?;
    Ok(Ruma(get_pushrules_global_scope::v3::Response::new(rules)))
}
