//! What can be changed of every rule, the server's included: its actions, and whether it is enabled.

use axum::extract::State;
use plop_accounts::Accounts;
use ruma::api::client::push::{
    get_pushrule_actions, get_pushrule_enabled, set_pushrule_actions, set_pushrule_enabled,
};

use crate::error::ApiError;
use crate::extract::{Ruma, Session};

/// `GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/enabled` (client-server API, "Push Rules: API"). For users.
pub async fn enabled(
    State(accounts): State<Accounts>,
    session: Session,
    Ruma(request): Ruma<get_pushrule_enabled::v3::Request>,
) -> Result<Ruma<get_pushrule_enabled::v3::Response>, ApiError> {
    let user = session.user()?;
    let rule = accounts.push_rule(session.actor(), user, request.kind, &request.rule_id).await?;
    Ok(Ruma(get_pushrule_enabled::v3::Response::new(rule.enabled())))
}

/// `PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/enabled` (client-server API, "Push Rules: API"). For users.
pub async fn set_enabled(
    State(accounts): State<Accounts>,
    session: Session,
    Ruma(request): Ruma<set_pushrule_enabled::v3::Request>,
) -> Result<Ruma<set_pushrule_enabled::v3::Response>, ApiError> {
    let set_pushrule_enabled::v3::Request { kind, rule_id, enabled, .. } = request;
    accounts.set_push_rule_enabled(session.actor(), session.user()?, kind, &rule_id, enabled).await?;
    Ok(Ruma(set_pushrule_enabled::v3::Response::new()))
}

/// `GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/actions` (client-server API, "Push Rules: API"). For users.
pub async fn actions(
    State(accounts): State<Accounts>,
    session: Session,
    Ruma(request): Ruma<get_pushrule_actions::v3::Request>,
) -> Result<Ruma<get_pushrule_actions::v3::Response>, ApiError> {
    let user = session.user()?;
    let rule = accounts.push_rule(session.actor(), user, request.kind, &request.rule_id).await?;
    Ok(Ruma(get_pushrule_actions::v3::Response::new(rule.actions().to_vec())))
}

/// `PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/actions` (client-server API, "Push Rules: API"). For users.
pub async fn set_actions(
    State(accounts): State<Accounts>,
    session: Session,
    Ruma(request): Ruma<set_pushrule_actions::v3::Request>,
) -> Result<Ruma<set_pushrule_actions::v3::Response>, ApiError> {
    let set_pushrule_actions::v3::Request { kind, rule_id, actions, .. } = request;
    accounts.set_push_rule_actions(session.actor(), session.user()?, kind, &rule_id, actions).await?;
    Ok(Ruma(set_pushrule_actions::v3::Response::new()))
}
