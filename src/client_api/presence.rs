//! Who is there (client-server API, "Presence").

mod status;

use crate::routes::Routes;

/// The chapter's endpoints.
pub fn routes() -> Routes {
    Routes::new()
        .get("/_matrix/client/v3/presence/{userId}/status", status::get)
        .put("/_matrix/client/v3/presence/{userId}/status", status::set)
}
