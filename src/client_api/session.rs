//! Logging in and out (client-server API, "Login", "Refreshing access tokens").
//!
//! Owns: what a login can be made with. Does not own: the rules of passwords and tokens ([`plop_accounts`]).

mod login;
mod login_token;
mod logout;
mod refresh;

use crate::routes::Routes;

/// The chapter's endpoints.
pub fn routes() -> Routes {
    Routes::new()
        .get("/_matrix/client/v3/login", login::flows)
        .post("/_matrix/client/v3/login", login::login)
        .post("/_matrix/client/v1/login/get_token", login_token::get_token)
        .post("/_matrix/client/v3/refresh", refresh::refresh)
        .post("/_matrix/client/v3/logout", logout::logout)
        .post("/_matrix/client/v3/logout/all", logout::logout_all)
}
