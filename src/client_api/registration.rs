//! New accounts (client-server API, "Account registration", "Token-authenticated registration"), and the way in for whoever knows the server's
//! secret.
//!
//! Owns: nothing but the forms. Does not own: who may register ([`plop_accounts::registration`]).

mod availability;
mod register;
mod shared_secret;

use crate::routes::Routes;

/// The chapter's endpoints.
pub fn routes() -> Routes {
    Routes::new()
        .post("/_matrix/client/v3/register", register::register)
        .get("/_matrix/client/v3/register/available", availability::username)
        .get("/_matrix/client/v1/register/m.login.registration_token/validity", availability::token)
        .get("/_synapse/admin/v1/register", shared_secret::nonce)
        .post("/_synapse/admin/v1/register", shared_secret::register)
}
