//! What a client asks before anything else (client-server API, "API Versions", "Well-known URIs", "Capabilities negotiation").
//!
//! Invariant: only what is true is advertised.

mod versions;

use crate::routes::Routes;

/// The chapter's endpoints.
pub fn routes() -> Routes {
    Routes::new().get("/_matrix/client/versions", versions::versions)
}
