//! What is new for a client (client-server API, "Syncing").

mod sync;

use crate::routes::Routes;

/// The chapter's endpoints.
pub fn routes() -> Routes {
    Routes::new().get("/_matrix/client/v3/sync", sync::sync)
}
