//! `POST /_matrix/client/v3/rooms/{roomId}/upgrade`.

use axum::extract::State;
use plop_rooms::Rooms;
use plop_rooms::ops::upgrade::UpgradeRoom;
use ruma::api::client::room::upgrade_room::v3::{Request, Response};

use crate::error::ApiError;
use crate::extract::{ActiveSession, Ruma};

/// `POST /_matrix/client/v3/rooms/{roomId}/upgrade` (client-server API, "Room upgrades"). Access token of an account that is not suspended.
pub async fn upgrade(
    State(rooms): State<Rooms>,
    session: ActiveSession,
    Ruma(request): Ruma<Request>,
) -> Result<Ruma<Response>, ApiError> {
    let Request { room_id, new_version, additional_creators, .. } = request;
    let upgrade = UpgradeRoom { version: new_version, additional_creators };
    let replacement = rooms.upgrade(session.actor(), &room_id, &upgrade).await?;
    Ok(Ruma(Response::new(replacement)))
}
