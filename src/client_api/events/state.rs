//! The state of a room: `/rooms/{roomId}/state`, and its entries.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use plop_delayed::Delayed;
use plop_rooms::Rooms;
use plop_rooms::ops::send::SendEvent;
use plop_rooms::reader::client_event::Detail;
use plop_rooms::reader::state::StatePages;
use plop_state::StateKey;
use plop_state::pdu::ClientFormat;
use ruma::OwnedRoomId;
use ruma::api::client::state::get_state_event_for_key::v3::StateEventFormat;
use ruma::api::client::state::{get_state_events, send_state_event};
use serde::Deserialize;

use crate::answer::{Listed, RoomList};
use crate::delayed::scheduling::{Former, schedule_former};
use crate::error::ApiError;
use crate::extract::{ActiveSession, Content, JsonText, OrGuest, Path, Query, Ruma, SendOptions, Session};

/// Which entry of a state. "When an empty string, the trailing slash on this endpoint is optional."
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    room_id: OwnedRoomId,
    event_type: String,
    #[serde(default)]
    state_key: String,
}

/// `PUT /_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}` (client-server API, "Sending events to a room"). Access token of an account that is
/// not suspended; guests, too.
pub async fn set(
    State(rooms): State<Rooms>,
    State(delayed): State<Delayed>,
    session: OrGuest<ActiveSession>,
    options: SendOptions,
    Path(entry): Path<Entry>,
    Content(content): Content,
) -> Result<Response, ApiError> {
    let ts = options.time(session.actor())?;
    let Entry { room_id, event_type: kind, state_key } = entry;
    if let Some(delay) = options.delay() {
        let (kind, state_key, content) = (kind.as_str(), Some(state_key.as_str()), Ok(content));
        let request = Former { room: &room_id, kind, state_key, transaction: None, delay, content };
        return schedule_former(&delayed, session.actor(), request).await;
    }
    let event = SendEvent { kind, state_key: Some(state_key), content, transaction: None, ts };
    let id = rooms.send(session.actor(), &room_id, &event).await?;
    Ok(Ruma(send_state_event::v3::Response::new(id)).into_response())
}

/// The query of the following.
#[derive(Deserialize)]
pub struct Form {
    #[serde(default)]
    format: StateEventFormat,
}

/// `GET /_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}` (client-server API, "Getting events for a room"). Access token, a guest's, too.
pub async fn get(
    State(rooms): State<Rooms>,
    session: OrGuest<Session>,
    Path(entry): Path<Entry>,
    Query(form): Query<Form>,
) -> Result<JsonText, ApiError> {
    let mut reader = rooms.reader(session.actor(), &entry.room_id).await?;
    let event = reader.state_event(&StateKey::new(&entry.event_type, entry.state_key)).await?;
    let event = event.ok_or_else(|| ApiError::not_found("The room has no such state."))?;
    match form.format {
        StateEventFormat::Content => Ok(JsonText(event.pdu.content_text().to_owned())),
        StateEventFormat::Event => {
            let texts = reader.client_events(&[event], ClientFormat::Full, Detail::Timeline).await?;
            Ok(JsonText(texts.into_iter().collect()))
        }
        other => Err(ApiError::invalid_param(format_args!("There is no format `{other}`."))),
    }
}

/// `GET /_matrix/client/v3/rooms/{roomId}/state` (client-server API, "Getting events for a room"). Access token, a guest's, too.
pub async fn list(
    State(rooms): State<Rooms>,
    session: OrGuest<Session>,
    Ruma(request): Ruma<get_state_events::v3::Request>,
) -> Result<Response, ApiError> {
    let reader = rooms.reader(session.actor(), &request.room_id).await?;
    let pages = Listed::State(StatePages::of(reader.state_in_reach()?));
    RoomList::of(&rooms, &reader, session.actor(), pages).answer().await
}
