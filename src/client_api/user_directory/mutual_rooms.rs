//! `GET /_matrix/client/v1/mutual_rooms`.

use axum::extract::State;
use plop_directory::Directory;
use ruma::{OwnedRoomId, OwnedUserId};
use serde::{Deserialize, Serialize};

use crate::error::ApiError;
use crate::extract::{Json, Query, Session};

/// The query.
#[derive(Deserialize)]
pub struct Page {
    user_id: OwnedUserId,
    from: Option<String>,
}

/// The answer.
#[derive(Serialize)]
pub struct MutualRooms {
    joined: Vec<OwnedRoomId>,
    count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_batch: Option<String>,
}

/// `GET /_matrix/client/v1/mutual_rooms` (client-server API, "Mutual Rooms"). Access token.
pub async fn mutual_rooms(
    State(directory): State<Directory>,
    session: Session,
    Query(page): Query<Page>,
) -> Result<Json<MutualRooms>, ApiError> {
    let own = session.user()?;
    if page.user_id == own {
        return Err(ApiError::invalid_param("You share all of your rooms with yourself."));
    }
    // "non-compliant": the historical form.
    if page.user_id.validate_strict().is_err() {
        return Err(ApiError::invalid_param("This is no user id."));
    }
    let after = page.from.as_deref().map(str::parse).transpose().map_err(ApiError::invalid_param)?;
    let found = directory.mutual_rooms(own, &page.user_id, after).await?;
    let next_batch = found.next.map(|place| place.to_string());
    Ok(Json(MutualRooms { joined: found.rooms, count: found.count, next_batch }))
}
