//! All rules of a user.

use axum::extract::State;
use plop_accounts::Accounts;
use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::extract::{Json, Session};

/// `GET /_matrix/client/v3/pushrules/` (client-server API, "Push Rules: API"). For users.
pub async fn all(
    State(accounts): State<Accounts>,
    session: Session,
) -> Result<Json<Map<String, Value>>, ApiError> {
    let rules = accounts.push_rules(session.actor(), session.user()?).await?;
    Ok(Json(rules.content()))
}

/// `GET /_matrix/client/v3/pushrules/global/` (client-server API, "Push Rules: API"). For users.
pub async fn global(State(accounts): State<Accounts>, session: Session) -> Result<Json<Value>, ApiError> {
    let rules = accounts.push_rules(session.actor(), session.user()?).await?;
    Ok(Json(rules.ruleset()))
}
