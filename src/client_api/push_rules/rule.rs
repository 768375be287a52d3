//! One rule.

use axum::extract::State;
use plop_accounts::Accounts;
use ruma::api::client::push::{delete_pushrule, get_pushrule, set_pushrule};
use ruma::push::{
    Action, AnyPushRule, NewConditionalPushRule, NewPatternedPushRule, NewPushRule, NewSimplePushRule,
    PushCondition, RuleKind,
};
use ruma::{OwnedRoomId, OwnedUserId};
use serde::Deserialize;

use crate::error::ApiError;
use crate::extract::{Json, Path, Query, Ruma, Session};

/// Where a rule goes.
#[derive(Deserialize)]
pub struct RulePlace {
    before: Option<String>,
    after: Option<String>,
}

/// What a rule says. ruma's type insists on `conditions`.
#[derive(Deserialize)]
pub struct Body {
    actions: Vec<Action>,
    #[serde(default)]
    conditions: Vec<PushCondition>,
    pattern: Option<String>,
}

/// `GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}` (client-server API, "Push Rules: API"). For users.
pub async fn read(
    State(accounts): State<Accounts>,
    session: Session,
    Path((kind, id)): Path<(RuleKind, String)>,
) -> Result<Ruma<get_pushrule::v3::Response>, ApiError> {
    let rule = accounts.push_rule(session.actor(), session.user()?, kind, &id).await?;
    // ruma's conversion does not know the kind of MSC4306, which has the form of this one.
    let rule = match rule {
        AnyPushRule::PostContent(rule) => AnyPushRule::Override(rule),
        other => other,
    };
    Ok(Ruma(get_pushrule::v3::Response::new(rule.into())))
}

/// `PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}` (client-server API, "Push Rules: API"). For users.
pub async fn put(
    State(accounts): State<Accounts>,
    session: Session,
    Path((kind, id)): Path<(RuleKind, String)>,
    Query(place): Query<RulePlace>,
    Json(body): Json<Body>,
) -> Result<Ruma<set_pushrule::v3::Response>, ApiError> {
    let rule = new_rule(&kind, id, body)?;
    let (after, before) = (place.after.as_deref(), place.before.as_deref());
    accounts.put_push_rule(session.actor(), session.user()?, &rule, after, before).await?;
    Ok(Ruma(set_pushrule::v3::Response::new()))
}

/// `DELETE /_matrix/client/v3/pushrules/global/{kind}/{ruleId}` (client-server API, "Push Rules: API"). For users.
pub async fn delete(
    State(accounts): State<Accounts>,
    session: Session,
    Path((kind, id)): Path<(RuleKind, String)>,
) -> Result<Ruma<delete_pushrule::v3::Response>, ApiError> {
    accounts.delete_push_rule(session.actor(), session.user()?, kind, &id).await?;
    Ok(Ruma(delete_pushrule::v3::Response::new()))
}

fn new_rule(kind: &RuleKind, id: String, body: Body) -> Result<NewPushRule, ApiError> {
    let Body { actions, conditions, pattern } = body;
    let conditional = |id, conditions, actions| NewConditionalPushRule::new(id, conditions, actions);
    Ok(match kind {
        RuleKind::Override => NewPushRule::Override(conditional(id, conditions, actions)),
        RuleKind::Underride => NewPushRule::Underride(conditional(id, conditions, actions)),
        RuleKind::Content => {
            let pattern = pattern.ok_or_else(|| ApiError::missing_param("There is no `pattern`."))?;
            NewPushRule::Content(NewPatternedPushRule::new(id, pattern, actions))
        }
        RuleKind::Room => {
            let room = OwnedRoomId::try_from(id).map_err(ApiError::invalid_param)?;
            NewPushRule::Room(NewSimplePushRule::new(room, actions))
        }
        RuleKind::Sender => {
            let user = OwnedUserId::try_from(id).map_err(ApiError::invalid_param)?;
            NewPushRule::Sender(NewSimplePushRule::new(user, actions))
        }
        _ => return Err(ApiError::invalid_param("There is no such kind of rule.")),
    })
}
