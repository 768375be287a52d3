//! Pushers: where a user's devices want to be woken (client-server API, "Push Notifications").
//!
//! Owns: nothing but the forms. Does not own: what a pusher may be, whose it is ([`plop_accounts::pushers`]).

mod listing;
mod setting;

use crate::routes::Routes;

/// The chapter's endpoints.
pub fn routes() -> Routes {
    Routes::new()
        .get("/_matrix/client/v3/pushers", listing::list)
        .post("/_matrix/client/v3/pushers/set", setting::set)
}
