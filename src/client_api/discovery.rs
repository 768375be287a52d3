//! What a client asks before anything else (client-server API, "API Versions", "Well-known URIs", "Capabilities negotiation",
//! "Server administration").
//!
//! Invariant: only what is true is advertised.

mod capabilities;
mod versions;
mod well_known;

use crate::routes::Routes;

/// The chapter's endpoints.
pub fn routes() -> Routes {
    Routes::new()
        .get("/_matrix/client/versions", versions::versions)
        .get("/.well-known/matrix/client", well_known::client)
        .get("/.well-known/matrix/support", well_known::support)
        .get("/_matrix/client/v3/capabilities", capabilities::capabilities)
}
