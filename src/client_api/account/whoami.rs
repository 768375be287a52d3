//! `GET /v3/account/whoami`.

use ruma::api::client::account::whoami::v3::Response;

use crate::error::ApiError;
use crate::extract::{OrGuest, Ruma, Session};

/// `GET /_matrix/client/v3/account/whoami` (client-server API, "Account management"). For users and guests.
pub async fn whoami(session: OrGuest<Session>) -> Result<Ruma<Response>, ApiError> {
    let mut response = Response::new(session.user()?.to_owned(), session.actor().is_guest());
    response.device_id = session.actor().device_id().map(ToOwned::to_owned);
    Ok(Ruma(response))
}
