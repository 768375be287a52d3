//! Changing one's profile. Member events follow ([`plop_rooms::upkeep`]); those who see the user's presence are told here.

use std::sync::Arc;

use axum::extract::State;
use plop_accounts::Accounts;
use plop_accounts::profile::is_in_member_events;
use plop_ephemeral::Presence;
use ruma::OwnedUserId;
use ruma::api::client::profile::{delete_profile_field, set_profile_field};
use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::extract::{ActiveSession, Json, OrGuest, Path, Ruma};

/// `PUT /_matrix/client/v3/profile/{userId}/{keyName}` (client-server API, "Profiles"). For active users; guests change their display name.
///
/// ruma's type of the request does not tell a field that is missing from one that is wrong.
pub async fn set(
    State(accounts): State<Accounts>,
    State(presence): State<Arc<Presence>>,
    session: OrGuest<ActiveSession>,
    Path((user, name)): Path<(OwnedUserId, String)>,
    Json(body): Json<Map<String, Value>>,
) -> Result<Ruma<set_profile_field::v3::Response>, ApiError> {
    let value = body.get(&name).ok_or_else(|| ApiError::missing_param(format!("There is no `{name}`.")))?;
    accounts.set_profile_field(session.actor(), &user, &name, value).await?;
    if is_in_member_events(&name) {
        presence.profile_changed(session.actor(), &user)?;
    }
    Ok(Ruma(set_profile_field::v3::Response::new()))
}

/// `DELETE /_matrix/client/v3/profile/{userId}/{keyName}` (client-server API, "Profiles"). For active users; guests change their display name.
pub async fn delete(
    State(accounts): State<Accounts>,
    State(presence): State<Arc<Presence>>,
    session: OrGuest<ActiveSession>,
    Ruma(request): Ruma<delete_profile_field::v3::Request>,
) -> Result<Ruma<delete_profile_field::v3::Response>, ApiError> {
    let field = request.field.as_str();
    accounts.delete_profile_field(session.actor(), &request.user_id, field).await?;
    if is_in_member_events(field) {
        presence.profile_changed(session.actor(), &request.user_id)?;
    }
    Ok(Ruma(delete_profile_field::v3::Response::new()))
}
