//! Rank 5: the server-server API, as far as it is there: what services ask that users show their OpenID tokens to.
//!
//! Owns: the endpoints at which others ask this server, and the form of their errors. Does not own: any decision; what surrounds every request (its
//! id, the log, figures), which belongs to the composition root.
//!
//! Invariants: a path that is not listed here is not there (`404 M_UNRECOGNIZED`); errors are mapped once, exhaustively; the log gets internal causes,
//! who asks does not.

mod error;
mod openid;

use axum::Router;
use axum::routing::get;
use plop_accounts::Accounts;

/// The endpoints, to be put behind a listener.
pub fn router(accounts: Accounts) -> Router {
    Router::new().route("/_matrix/federation/v1/openid/userinfo", get(openid::userinfo)).with_state(accounts)
}
