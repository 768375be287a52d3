//! `GET /_matrix/client/v1/rooms/{roomId}/timestamp_to_event`.

use axum::extract::State;
use plop_base::UnixMillis;
use plop_base::limits::MAX_SAFE_INT;
use plop_db::Direction;
use plop_rooms::Rooms;
use ruma::api::Direction as Asked;
use ruma::api::client::room::get_event_by_timestamp::v1::Response;
use ruma::{MilliSecondsSinceUnixEpoch, OwnedRoomId};
use serde::Deserialize;

use crate::error::ApiError;
use crate::extract::{Path, Query, Ruma, Session};

/// The query.
#[derive(Deserialize)]
pub struct Parameters {
    ts: u64,
    dir: Asked,
}

/// `GET /_matrix/client/v1/rooms/{roomId}/timestamp_to_event` (client-server API, "Jumping to a point in time in a room's history"). Access token.
pub async fn timestamp_to_event(
    State(rooms): State<Rooms>,
    session: Session,
    Path(room): Path<OwnedRoomId>,
    Query(parameters): Query<Parameters>,
) -> Result<Ruma<Response>, ApiError> {
    // No event is of a later time.
    let time = UnixMillis(parameters.ts.min(MAX_SAFE_INT));
    let direction = match parameters.dir {
        Asked::Forward => Direction::Forward,
        Asked::Backward => Direction::Backward,
    };
    let mut reader = rooms.reader(session.actor(), &room).await?;
    let event = reader.closest(time, direction).await?;
    let (id, at) = (event.pdu.event_id_owned().clone(), event.pdu.origin_server_ts().get());
    Ok(Ruma(Response::new(id, MilliSecondsSinceUnixEpoch(at))))
}
