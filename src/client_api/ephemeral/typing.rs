//! `PUT /_matrix/client/v3/rooms/{roomId}/typing/{userId}`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use plop_ephemeral::Typing;
use plop_ephemeral::typing::DEFAULT_TIMEOUT;
use plop_rooms::Rooms;
use plop_rooms::reader::access::ReadRefusal;
use ruma::api::client::typing::create_typing_event::v3::Response;
use ruma::{OwnedRoomId, OwnedUserId};
use serde::Deserialize;

use crate::error::ApiError;
use crate::extract::{Acting, ActiveSession, Json, Path, Ruma};

/// The body; ruma's wants a timeout.
#[derive(Deserialize)]
pub struct Request {
    typing: bool,
    /// In milliseconds.
    timeout: Option<u64>,
}

/// `PUT /_matrix/client/v3/rooms/{roomId}/typing/{userId}` (client-server API, "Typing Notifications"). Access token of an account that is not suspended.
pub async fn typing(
    State(rooms): State<Rooms>,
    State(typing): State<Arc<Typing>>,
    session: Acting<ActiveSession>,
    Path((room, user)): Path<(OwnedRoomId, OwnedUserId)>,
    Json(request): Json<Request>,
) -> Result<Ruma<Response>, ApiError> {
    let view = rooms.view_by_id(&room).await?;
    // Who asks, not who is named: a stranger learns nothing of a member.
    if !view.members.is_joined(session.user()?) {
        return Err(ReadRefusal::NotInRoom.into());
    }
    if request.typing {
        let timeout = request.timeout.map_or(DEFAULT_TIMEOUT, Duration::from_millis);
        typing.start(session.actor(), view.number, &user, timeout)?;
    } else {
        typing.stop(session.actor(), view.number, &user)?;
    }
    Ok(Ruma(Response::new()))
}
