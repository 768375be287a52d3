//! What administrators do through the client API (client-server API, "Server Administration").
//!
//! Owns: nothing but the forms. Does not own: whom an administrator may decide about ([`plop_accounts::moderation`]).
//!
//! Invariant: who is no administrator is refused before anybody is looked up.

mod lock;
mod suspend;
mod whois;

use crate::routes::Routes;

/// The chapter's endpoints.
pub fn routes() -> Routes {
    Routes::new()
        .get("/_matrix/client/v1/admin/lock/{userId}", lock::get)
        .put("/_matrix/client/v1/admin/lock/{userId}", lock::set)
        .get("/_matrix/client/v1/admin/suspend/{userId}", suspend::get)
        .put("/_matrix/client/v1/admin/suspend/{userId}", suspend::set)
        .get("/_matrix/client/v3/admin/whois/{userId}", whois::whois)
}
