//! `PUT /_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}`, and the same without a transaction id.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use plop_delayed::Delayed;
use plop_rooms::Rooms;
use plop_rooms::ops::send::SendEvent;
use ruma::OwnedRoomId;
use ruma::api::client::message::send_message_event::v3::Response as Sent;

use crate::delayed::scheduling::{Former, schedule_former};
use crate::error::ApiError;
use crate::extract::{Acting, ActiveSession, Content, OrGuest, Path, Ruma, SendOptions};

/// `PUT /_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}` (client-server API, "Sending events to a room"). Access token of an account that is
/// not suspended; guests, too.
pub async fn send(
    State(rooms): State<Rooms>,
    State(delayed): State<Delayed>,
    session: Acting<OrGuest<ActiveSession>>,
    options: SendOptions,
    Path((room, kind, transaction)): Path<(OwnedRoomId, String, String)>,
    content: Result<Content, ApiError>,
) -> Result<Response, ApiError> {
    let content = content.map(|Content(content)| content);
    let ts = options.time(session.actor())?;
    if let Some(delay) = options.delay() {
        let (kind, transaction) = (kind.as_str(), Some(transaction.as_str()));
        let request = Former { room: &room, kind, state_key: None, transaction, delay, content };
        return schedule_former(&delayed, session.actor(), request).await;
    }
    let event = SendEvent { kind, state_key: None, content: content?, transaction: Some(transaction), ts };
    let id = rooms.send(session.actor(), &room, &event).await?;
    Ok(Ruma(Sent::new(id)).into_response())
}

/// `POST /_matrix/client/v3/rooms/{roomId}/send/{eventType}`: not in the specification; scripts and test suites know it from other servers. Each request
/// sends an event. Access token of an account that is not suspended.
pub async fn send_without_transaction(
    State(rooms): State<Rooms>,
    State(delayed): State<Delayed>,
    session: Acting<ActiveSession>,
    options: SendOptions,
    Path((room, kind)): Path<(OwnedRoomId, String)>,
    Content(content): Content,
) -> Result<Response, ApiError> {
    let ts = options.time(session.actor())?;
    if let Some(delay) = options.delay() {
        let (kind, content) = (kind.as_str(), Ok(content));
        let request = Former { room: &room, kind, state_key: None, transaction: None, delay, content };
        return schedule_former(&delayed, session.actor(), request).await;
    }
    let event = SendEvent { kind, state_key: None, content, transaction: None, ts };
    let id = rooms.send(session.actor(), &room, &event).await?;
    Ok(Ruma(Sent::new(id)).into_response())
}
