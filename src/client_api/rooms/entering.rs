//! Joining and knocking: `POST /join/{roomIdOrAlias}`, `/rooms/{roomId}/join`, `/knock/{roomIdOrAlias}`.
//!
//! What a client sends in the body goes into the member event, as other servers do it.

use axum::extract::State;
use plop_rooms::Rooms;
use plop_rooms::ops::refusal::Refusal;
use plop_state::json::{Object, Value};
use ruma::api::client::knock::knock_room;
use ruma::api::client::membership::{join_room_by_id, join_room_by_id_or_alias};
use ruma::api::error::ErrorKind;
use ruma::{OwnedRoomId, OwnedRoomOrAliasId};

use crate::error::ApiError;
use crate::extract::{ActiveSession, Addition, OrGuest, Path, Ruma};

/// `POST /_matrix/client/v3/join/{roomIdOrAlias}` (client-server API, "Joining rooms"). Access token of an account that is not suspended.
pub async fn join(
    State(rooms): State<Rooms>,
    session: ActiveSession,
    Path(target): Path<OwnedRoomOrAliasId>,
    Addition(body): Addition,
) -> Result<Ruma<join_room_by_id_or_alias::v3::Response>, ApiError> {
    let addition = addition(body)?;
    let room = room_of(&rooms, target).await?;
    rooms.join(session.actor(), &room, &addition).await?;
    Ok(Ruma(join_room_by_id_or_alias::v3::Response::new(room)))
}

/// `POST /_matrix/client/v3/rooms/{roomId}/join` (client-server API, "Joining rooms"). Access token of an account that is not suspended; guests, too.
pub async fn join_by_id(
    State(rooms): State<Rooms>,
    session: OrGuest<ActiveSession>,
    Path(room): Path<OwnedRoomId>,
    Addition(body): Addition,
) -> Result<Ruma<join_room_by_id::v3::Response>, ApiError> {
    rooms.join(session.actor(), &room, &addition(body)?).await?;
    Ok(Ruma(join_room_by_id::v3::Response::new(room)))
}

/// `POST /_matrix/client/v3/knock/{roomIdOrAlias}` (client-server API, "Knocking on rooms"). Access token of an account that is not suspended.
pub async fn knock(
    State(rooms): State<Rooms>,
    session: ActiveSession,
    Path(target): Path<OwnedRoomOrAliasId>,
    Addition(body): Addition,
) -> Result<Ruma<knock_room::v3::Response>, ApiError> {
    let addition = addition(body)?;
    let room = room_of(&rooms, target).await?;
    rooms.knock(session.actor(), &room, &addition).await?;
    Ok(Ruma(knock_room::v3::Response::new(room)))
}

/// The room that is meant.
pub(super) async fn room_of(rooms: &Rooms, target: OwnedRoomOrAliasId) -> Result<OwnedRoomId, Refusal> {
    match OwnedRoomId::try_from(target) {
        Ok(room) => Ok(room),
        Err(alias) => rooms.resolve_alias(&alias).await,
    }
}

/// What the member event gets of a body.
fn addition(mut body: Object) -> Result<Object, ApiError> {
    if body.remove("third_party_signed").is_some_and(|signed| signed != Value::Null) {
        return Err(ApiError::third_party_invites());
    }
    match body.get("reason") {
        None | Some(Value::String(_)) => Ok(body),
        Some(_) => Err(ApiError::bad_request(ErrorKind::BadJson, "`reason` is no string.")),
    }
}
