//! What is new for a client (client-server API, "Syncing"; MSC4186).

mod sending;
mod sliding;
mod sync;

use crate::budgets::Cost;
use crate::routes::Routes;

/// The chapter's endpoints. Answers are paid for when they have been sent.
pub fn routes() -> Routes {
    const SYNC: Cost = Cost::Read(0);
    Routes::new()
        .get("/_matrix/client/v3/sync", sync::sync)
        .costly_post("/_matrix/client/v4/sync", SYNC, sliding::accepted)
        .costly_post("/_matrix/client/unstable/org.matrix.simplified_msc3575/sync", SYNC, sliding::deployed)
}
