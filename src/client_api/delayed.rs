//! Events that are sent later (MSC4140, "Cancellable delayed events"): as it was accepted, and as clients spoke it before.
//!
//! The older way to schedule one is an option of `/send` and `/state` ([`crate::extract::SendOptions`]).

mod acting;
mod form;
mod listing;
pub mod scheduling;

use crate::budgets::{PAGE, SEND};
use crate::routes::Routes;

/// The chapter's endpoints.
pub fn routes() -> Routes {
    Routes::new()
        .costly_put(
            "/_matrix/client/v3/rooms/{roomId}/delayed_event/{eventType}/{txnId}",
            SEND,
            scheduling::schedule,
        )
        .get("/_matrix/client/v1/delayed_events/{delayId}", listing::get)
        .post("/_matrix/client/v1/delayed_events/{delayId}/{action}", acting::act)
        // Before it was accepted.
        .costly_put(
            "/_matrix/client/unstable/org.matrix.msc4140/rooms/{roomId}/delayed_event/{eventType}/{txnId}",
            SEND,
            scheduling::schedule,
        )
        .costly_get("/_matrix/client/unstable/org.matrix.msc4140/delayed_events", PAGE, listing::list)
        .get("/_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delayId}", listing::former_get)
        .post("/_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delayId}", acting::former_act)
        .post("/_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delayId}/{action}", acting::act)
}
