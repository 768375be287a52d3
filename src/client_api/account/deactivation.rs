//! `POST /v3/account/deactivate`.

use std::sync::Arc;

use axum::extract::State;
use plop_accounts::Accounts;
use plop_accounts::uia::UiaOperation;
use plop_ephemeral::Presence;
use ruma::api::client::account::ThirdPartyIdRemovalStatus;
use ruma::api::client::account::deactivate::v3::{Request, Response};

use crate::error::ApiError;
use crate::extract::{ClientAddress, Interactive, Ruma, Session};

/// `POST /_matrix/client/v3/account/deactivate` (client-server API, "Account deactivation"). For users, with interactive authentication. The
/// user's rooms are left afterwards ([`plop_rooms::upkeep`]). There are no addresses to unbind.
pub async fn deactivate(
    State(accounts): State<Accounts>,
    State(presence): State<Arc<Presence>>,
    session: Session,
    from: ClientAddress,
    request: Interactive<Request>,
) -> Result<Ruma<Response>, ApiError> {
    let authorized =
        request.authorize_user(&accounts, session.actor(), UiaOperation::Deactivate, from).await?;
    accounts.deactivate(session.actor(), authorized, request.request.erase).await?;
    presence.forget(session.user()?);
    Ok(Ruma(Response::new(ThirdPartyIdRemovalStatus::Success)))
}
