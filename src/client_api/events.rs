//! Events of a room: sending, redacting, reading (client-server API, "Events").

mod context;
mod event;
mod members;
mod messages;
mod places;
mod redact;
mod send;
mod senders;
mod state;

use crate::routes::Routes;

/// The chapter's endpoints.
pub fn routes() -> Routes {
    Routes::new()
        // Sending.
        .put("/_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}", send::send)
        .post("/_matrix/client/v3/rooms/{roomId}/send/{eventType}", send::send_without_transaction)
        .put("/_matrix/client/v3/rooms/{roomId}/redact/{eventId}/{txnId}", redact::redact)
        .put("/_matrix/client/v3/rooms/{roomId}/state/{eventType}", state::set)
        .put("/_matrix/client/v3/rooms/{roomId}/state/{eventType}/", state::set)
        .put("/_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}", state::set)
        // Reading.
        .get("/_matrix/client/v3/rooms/{roomId}/state", state::list)
        .get("/_matrix/client/v3/rooms/{roomId}/state/{eventType}", state::get)
        .get("/_matrix/client/v3/rooms/{roomId}/state/{eventType}/", state::get)
        .get("/_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}", state::get)
        .get("/_matrix/client/v3/rooms/{roomId}/event/{eventId}", event::event)
        .get("/_matrix/client/v3/rooms/{roomId}/context/{eventId}", context::context)
        .get("/_matrix/client/v3/rooms/{roomId}/messages", messages::messages)
        .get("/_matrix/client/v3/rooms/{roomId}/members", members::members)
        .get("/_matrix/client/v3/rooms/{roomId}/joined_members", members::joined_members)
}
