//! Account data, of the user and of the user in a room.

use axum::extract::State;
use plop_accounts::Accounts;
use plop_accounts::account_data::Subject;
use plop_accounts::push_rules;
use ruma::api::client::config::{set_global_account_data, set_room_account_data};
use ruma::{OwnedRoomId, OwnedUserId};
use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::extract::{Json, JsonText, Path, Ruma, Session};

/// `GET /_matrix/client/v3/user/{userId}/account_data/{type}` (client-server API, "Client Config"). For the user. There always are push rules.
pub async fn of_user(
    State(accounts): State<Accounts>,
    session: Session,
    Path((user, kind)): Path<(OwnedUserId, String)>,
) -> Result<JsonText, ApiError> {
    if kind == push_rules::KIND {
        let rules = accounts.push_rules(session.actor(), &user).await?;
        return Ok(JsonText(Value::Object(rules.content()).to_string()));
    }
    let subject = Subject { user: &user, room: None, kind: &kind };
    let content = accounts.account_data(session.actor(), &subject).await?;
    content.map(JsonText).ok_or_else(not_found)
}

/// `PUT /_matrix/client/v3/user/{userId}/account_data/{type}` (client-server API, "Client Config"). For the user.
pub async fn set_of_user(
    State(accounts): State<Accounts>,
    session: Session,
    Path((user, kind)): Path<(OwnedUserId, String)>,
    Json(content): Json<Map<String, Value>>,
) -> Result<Ruma<set_global_account_data::v3::Response>, ApiError> {
    let subject = Subject { user: &user, room: None, kind: &kind };
    accounts.set_account_data(session.actor(), &subject, &content).await?;
    Ok(Ruma(set_global_account_data::v3::Response::new()))
}

/// `GET /_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}` (client-server API, "Client Config"). For the user, in the room or
/// not.
pub async fn of_room(
    State(accounts): State<Accounts>,
    session: Session,
    Path((user, room, kind)): Path<(OwnedUserId, OwnedRoomId, String)>,
) -> Result<JsonText, ApiError> {
    let subject = Subject { user: &user, room: Some(&room), kind: &kind };
    let content = accounts.account_data(session.actor(), &subject).await?;
    content.map(JsonText).ok_or_else(not_found)
}

/// `PUT /_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}` (client-server API, "Client Config"). For the user, in the room or
/// not.
pub async fn set_of_room(
    State(accounts): State<Accounts>,
    session: Session,
    Path((user, room, kind)): Path<(OwnedUserId, OwnedRoomId, String)>,
    Json(content): Json<Map<String, Value>>,
) -> Result<Ruma<set_room_account_data::v3::Response>, ApiError> {
    let subject = Subject { user: &user, room: Some(&room), kind: &kind };
    accounts.set_account_data(session.actor(), &subject, &content).await?;
    Ok(Ruma(set_room_account_data::v3::Response::new()))
}

/// `DELETE /_matrix/client/unstable/org.matrix.msc3391/user/{userId}/account_data/{type}` (MSC3391). For the user.
pub async fn delete_of_user(
    State(accounts): State<Accounts>,
    session: Session,
    Path((user, kind)): Path<(OwnedUserId, String)>,
) -> Result<Ruma<set_global_account_data::v3::Response>, ApiError> {
    let subject = Subject { user: &user, room: None, kind: &kind };
    accounts.delete_account_data(session.actor(), &subject).await?;
    Ok(Ruma(set_global_account_data::v3::Response::new()))
}

/// `DELETE /_matrix/client/unstable/org.matrix.msc3391/user/{userId}/rooms/{roomId}/account_data/{type}` (MSC3391). For the user, in the room or not.
pub async fn delete_of_room(
    State(accounts): State<Accounts>,
    session: Session,
    Path((user, room, kind)): Path<(OwnedUserId, OwnedRoomId, String)>,
) -> Result<Ruma<set_room_account_data::v3::Response>, ApiError> {
    let subject = Subject { user: &user, room: Some(&room), kind: &kind };
    accounts.delete_account_data(session.actor(), &subject).await?;
    Ok(Ruma(set_room_account_data::v3::Response::new()))
}

fn not_found() -> ApiError {
    ApiError::not_found("There is no account data of this type.")
}
