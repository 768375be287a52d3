//! Tags of rooms.

use axum::extract::State;
use plop_accounts::Accounts;
use ruma::api::client::tag::{create_tag, delete_tag, get_tags};
use ruma::{OwnedRoomId, OwnedUserId};
use serde_json::{Map, Value, json};

use crate::error::ApiError;
use crate::extract::{Json, Path, Ruma, Session};

/// `GET /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags` (client-server API, "Room Tagging"). For the user.
pub async fn list(
    State(accounts): State<Accounts>,
    session: Session,
    Ruma(request): Ruma<get_tags::v3::Request>,
) -> Result<Json<Value>, ApiError> {
    let tags = accounts.tags(session.actor(), &request.user_id, &request.room_id).await?;
    Ok(Json(json!({ "tags": tags })))
}

/// `PUT /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag}` (client-server API, "Room Tagging"). For the user.
pub async fn set(
    State(accounts): State<Accounts>,
    session: Session,
    Path((user, room, tag)): Path<(OwnedUserId, OwnedRoomId, String)>,
    Json(info): Json<Map<String, Value>>,
) -> Result<Ruma<create_tag::v3::Response>, ApiError> {
    accounts.set_tag(session.actor(), &user, &room, &tag, &info).await?;
    Ok(Ruma(create_tag::v3::Response::new()))
}

/// `DELETE /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag}` (client-server API, "Room Tagging"). For the user.
pub async fn remove(
    State(accounts): State<Accounts>,
    session: Session,
    Ruma(request): Ruma<delete_tag::v3::Request>,
) -> Result<Ruma<delete_tag::v3::Response>, ApiError> {
    accounts.remove_tag(session.actor(), &request.user_id, &request.room_id, &request.tag).await?;
    Ok(Ruma(delete_tag::v3::Response::new()))
}
