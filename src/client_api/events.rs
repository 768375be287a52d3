//! Events of a room: sending, redacting, reading (client-server API, "Events").

mod at_time;
mod context;
mod event;
mod members;
mod messages;
mod places;
mod redact;
mod relations;
mod send;
mod senders;
mod state;

use crate::budgets::{PAGE, SEND};
use crate::routes::Routes;

/// The chapter's endpoints.
pub fn routes() -> Routes {
    Routes::new()
        // Sending.
        .costly_put("/_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}", SEND, send::send)
        .costly_post(
            "/_matrix/client/v3/rooms/{roomId}/send/{eventType}",
            SEND,
            send::send_without_transaction,
        )
        .costly_put("/_matrix/client/v3/rooms/{roomId}/redact/{eventId}/{txnId}", SEND, redact::redact)
        .costly_put("/_matrix/client/v3/rooms/{roomId}/state/{eventType}", SEND, state::set)
        .costly_put("/_matrix/client/v3/rooms/{roomId}/state/{eventType}/", SEND, state::set)
        .costly_put("/_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}", SEND, state::set)
        // Reading.
        .costly_get("/_matrix/client/v3/rooms/{roomId}/state", PAGE, state::list)
        .get("/_matrix/client/v3/rooms/{roomId}/state/{eventType}", state::get)
        .get("/_matrix/client/v3/rooms/{roomId}/state/{eventType}/", state::get)
        .get("/_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}", state::get)
        .get("/_matrix/client/v3/rooms/{roomId}/event/{eventId}", event::event)
        .costly_get("/_matrix/client/v3/rooms/{roomId}/context/{eventId}", PAGE, context::context)
        .costly_get("/_matrix/client/v3/rooms/{roomId}/messages", PAGE, messages::messages)
        .costly_get("/_matrix/client/v1/rooms/{roomId}/timestamp_to_event", PAGE, at_time::timestamp_to_event)
        .costly_get("/_matrix/client/v1/rooms/{roomId}/relations/{eventId}", PAGE, relations::all)
        .costly_get(
            "/_matrix/client/v1/rooms/{roomId}/relations/{eventId}/{relType}",
            PAGE,
            relations::of_type,
        )
        .costly_get(
            "/_matrix/client/v1/rooms/{roomId}/relations/{eventId}/{relType}/{eventType}",
            PAGE,
            relations::of_event_type,
        )
        .costly_get("/_matrix/client/v3/rooms/{roomId}/members", PAGE, members::members)
        .costly_get("/_matrix/client/v3/rooms/{roomId}/joined_members", PAGE, members::joined_members)
}
