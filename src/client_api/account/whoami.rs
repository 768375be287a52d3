//! `GET /v3/account/whoami`.

use plop_base::Actor;
use ruma::api::client::account::whoami::v3::Response;

use crate::error::ApiError;
use crate::extract::{Ruma, Session};

/// `GET /_matrix/client/v3/account/whoami` (client-server API, "Account management"). For users.
pub async fn whoami(session: Session) -> Result<Ruma<Response>, ApiError> {
    let is_guest = matches!(session.actor(), Actor::Guest { .. });
    let mut response = Response::new(session.user()?.to_owned(), is_guest);
    response.device_id = session.actor().device_id().map(ToOwned::to_owned);
    Ok(Ruma(response))
}
