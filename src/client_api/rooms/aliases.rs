//! Aliases of this server: `/directory/room/{roomAlias}`, `/rooms/{roomId}/aliases`.

use axum::extract::State;
use plop_rooms::Rooms;
use ruma::api::client::alias::{create_alias, delete_alias, get_alias};
use ruma::api::client::room::aliases;

use crate::error::ApiError;
use crate::extract::{ActiveSession, Ruma, Session};

/// `GET /_matrix/client/v3/directory/room/{roomAlias}` (client-server API, "Room aliases"). For everyone.
pub async fn resolve(
    State(rooms): State<Rooms>,
    Ruma(request): Ruma<get_alias::v3::Request>,
) -> Result<Ruma<get_alias::v3::Response>, ApiError> {
    let target = rooms.alias_target(&request.room_alias).await?;
    Ok(Ruma(get_alias::v3::Response::new(target.room, target.servers)))
}

/// `PUT /_matrix/client/v3/directory/room/{roomAlias}` (client-server API, "Room aliases"). Access token of an account that is not suspended.
pub async fn create(
    State(rooms): State<Rooms>,
    session: ActiveSession,
    Ruma(request): Ruma<create_alias::v3::Request>,
) -> Result<Ruma<create_alias::v3::Response>, ApiError> {
    rooms.create_alias(session.actor(), &request.room_alias, &request.room_id).await?;
    Ok(Ruma(create_alias::v3::Response::new()))
}

/// `DELETE /_matrix/client/v3/directory/room/{roomAlias}` (client-server API, "Room aliases"). Access token of an account that is not suspended.
pub async fn delete(
    State(rooms): State<Rooms>,
    session: ActiveSession,
    Ruma(request): Ruma<delete_alias::v3::Request>,
) -> Result<Ruma<delete_alias::v3::Response>, ApiError> {
    rooms.delete_alias(session.actor(), &request.room_alias).await?;
    Ok(Ruma(delete_alias::v3::Response::new()))
}

/// `GET /_matrix/client/v3/rooms/{roomId}/aliases` (client-server API, "Room aliases"). Access token.
pub async fn list(
    State(rooms): State<Rooms>,
    session: Session,
    Ruma(request): Ruma<aliases::v3::Request>,
) -> Result<Ruma<aliases::v3::Response>, ApiError> {
    let aliases = rooms.aliases_of(session.actor(), &request.room_id).await?;
    Ok(Ruma(aliases::v3::Response::new(aliases)))
}
