//! One's own account: who one is and how others learn it, the password, e-mail addresses, the end (client-server API, "Account management").

mod deactivation;
pub mod email_link;
mod openid;
mod password;
mod request_token;
mod threepids;
mod whoami;

use crate::routes::Routes;

/// The chapter's endpoints.
pub fn routes() -> Routes {
    Routes::new()
        .get("/_matrix/client/v3/account/whoami", whoami::whoami)
        .post("/_matrix/client/v3/account/password", password::change)
        .post("/_matrix/client/v3/account/deactivate", deactivation::deactivate)
        .post("/_matrix/client/v3/user/{userId}/openid/request_token", openid::request_token)
        .get("/_matrix/client/v3/account/3pid", threepids::list)
        .post("/_matrix/client/v3/account/3pid/add", threepids::add)
        .post("/_matrix/client/v3/account/3pid/bind", threepids::bind)
        .post("/_matrix/client/v3/account/3pid/delete", threepids::delete)
        .post("/_matrix/client/v3/account/3pid/unbind", threepids::unbind)
        .post("/_matrix/client/v3/account/3pid/email/requestToken", request_token::to_add)
        .post("/_matrix/client/v3/account/3pid/msisdn/requestToken", request_token::to_phone)
        .post("/_matrix/client/v3/account/password/email/requestToken", request_token::to_reset_password)
        .post("/_matrix/client/v3/account/password/msisdn/requestToken", request_token::to_phone)
        .post("/_matrix/client/v3/register/email/requestToken", request_token::to_register)
        .post("/_matrix/client/v3/register/msisdn/requestToken", request_token::to_phone)
        .get(email_link::EMAIL_LINK_PATH, email_link::show)
        .post(email_link::EMAIL_LINK_PATH, email_link::confirm)
}
