//! One's own account: who one is, the password, the end (client-server API, "Account management").

mod deactivation;
mod password;
mod whoami;

use crate::routes::Routes;

/// The chapter's endpoints.
pub fn routes() -> Routes {
    Routes::new()
        .get("/_matrix/client/v3/account/whoami", whoami::whoami)
        .post("/_matrix/client/v3/account/password", password::change)
        .post("/_matrix/client/v3/account/deactivate", deactivation::deactivate)
}
