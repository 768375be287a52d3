//! `PUT /_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}`, and the same without a transaction id.

use axum::extract::State;
use plop_rooms::Rooms;
use plop_rooms::ops::send::SendEvent;
use ruma::OwnedRoomId;
use ruma::api::client::message::send_message_event::v3::Response;

use crate::error::ApiError;
use crate::extract::{Acting, ActiveSession, Content, Path, Ruma, SendOptions};

/// `PUT /_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}` (client-server API, "Sending events to a room"). Access token of an account that is
/// not suspended.
pub async fn send(
    State(rooms): State<Rooms>,
    session: Acting<ActiveSession>,
    options: SendOptions,
    Path((room, kind, transaction)): Path<(OwnedRoomId, String, String)>,
    Content(content): Content,
) -> Result<Ruma<Response>, ApiError> {
    let ts = options.time(session.actor())?;
    let event = SendEvent { kind, state_key: None, content, transaction: Some(transaction), ts };
    let id = rooms.send(session.actor(), &room, &event).await?;
    Ok(Ruma(Response::new(id)))
}

/// `POST /_matrix/client/v3/rooms/{roomId}/send/{eventType}`: not in the specification; scripts and test suites know it from other servers. Each request
/// sends an event. Access token of an account that is not suspended.
pub async fn send_without_transaction(
    State(rooms): State<Rooms>,
    session: Acting<ActiveSession>,
    options: SendOptions,
    Path((room, kind)): Path<(OwnedRoomId, String)>,
    Content(content): Content,
) -> Result<Ruma<Response>, ApiError> {
    let ts = options.time(session.actor())?;
    let event = SendEvent { kind, state_key: None, content, transaction: None, ts };
    let id = rooms.send(session.actor(), &room, &event).await?;
    Ok(Ruma(Response::new(id)))
}
