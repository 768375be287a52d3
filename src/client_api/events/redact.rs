//! `PUT /_matrix/client/v3/rooms/{roomId}/redact/{eventId}/{txnId}`.

use axum::extract::State;
use plop_rooms::Rooms;
use plop_rooms::ops::send::{Redaction, Whose};
use ruma::api::client::redact::redact_event::v3::{Request, Response};

use crate::error::ApiError;
use crate::extract::{Acting, Ruma, Session};

/// `PUT /_matrix/client/v3/rooms/{roomId}/redact/{eventId}/{txnId}` (client-server API, "Redactions"). Access token; a suspended account redacts its own
/// events.
pub async fn redact(
    State(rooms): State<Rooms>,
    session: Acting<Session>,
    Ruma(request): Ruma<Request>,
) -> Result<Ruma<Response>, ApiError> {
    let redaction = Redaction {
        reason: request.reason.as_deref(),
        transaction: request.txn_id.as_str(),
        whose: if session.is_suspended() { Whose::Own } else { Whose::Any },
    };
    let id = rooms.redact(session.actor(), &request.room_id, &request.event_id, &redaction).await?;
    Ok(Ruma(Response::new(id)))
}
