//! What devices tell each other past the rooms (client-server API, "Send-to-Device messaging").

mod send;

use crate::routes::Routes;

/// The chapter's endpoints.
pub fn routes() -> Routes {
    Routes::new().put("/_matrix/client/v3/sendToDevice/{eventType}/{txnId}", send::send)
}
