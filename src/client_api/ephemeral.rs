//! What comes and goes in a room: who is typing, who has read what (client-server API, "Typing Notifications", "Receipts", "Read and unread markers").

mod receipts;
mod typing;

use crate::routes::Routes;

/// The chapter's endpoints.
pub fn routes() -> Routes {
    Routes::new()
        .put("/_matrix/client/v3/rooms/{roomId}/typing/{userId}", typing::typing)
        .post("/_matrix/client/v3/rooms/{roomId}/receipt/{receiptType}/{eventId}", receipts::receipt)
        .post("/_matrix/client/v3/rooms/{roomId}/read_markers", receipts::read_markers)
}
