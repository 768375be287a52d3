//! `GET /_matrix/client/v3/rooms/{roomId}/event/{eventId}`.

use axum::extract::State;
use plop_rooms::Rooms;
use plop_rooms::reader::client_event::Detail;
use plop_state::pdu::ClientFormat;
use ruma::api::client::room::get_room_event::v3::Request;

use crate::error::ApiError;
use crate::extract::{JsonText, OrGuest, Ruma, Session};

/// `GET /_matrix/client/v3/rooms/{roomId}/event/{eventId}` (client-server API, "Getting events for a room"). Access token, a guest's, too.
pub async fn event(
    State(rooms): State<Rooms>,
    session: OrGuest<Session>,
    Ruma(request): Ruma<Request>,
) -> Result<JsonText, ApiError> {
    let found = rooms.reader_of_event(session.actor(), &request.room_id, &request.event_id).await;
    let (mut reader, event) = found?;
    let texts = reader.client_events(&[event], ClientFormat::Full, Detail::Timeline).await?;
    Ok(JsonText(texts.into_iter().collect()))
}
