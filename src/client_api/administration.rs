//! What administrators do through the client API (client-server API, "Server Administration").
//!
//! Owns: nothing but the forms. Does not own: whom an administrator may decide about ([`plop_accounts::moderation`]),
//! what a notice is ([`plop_moderation::notices`]).
//!
//! Invariant: who is no administrator is refused before anybody is looked up.

mod lock;
mod server_notice;
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
        .post("/_synapse/admin/v1/send_server_notice", server_notice::send)
        .put("/_synapse/admin/v1/send_server_notice/{txnId}", server_notice::send_once)
}
