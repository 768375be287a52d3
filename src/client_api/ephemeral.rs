//! What comes and goes in a room: who is typing (client-server API, "Typing Notifications").

mod typing;

use crate::routes::Routes;

/// The chapter's endpoints.
pub fn routes() -> Routes {
    Routes::new().put("/_matrix/client/v3/rooms/{roomId}/typing/{userId}", typing::typing)
}
