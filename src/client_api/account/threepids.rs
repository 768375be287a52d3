//! The e-mail addresses of an account.

use axum::extract::State;
use plop_accounts::Accounts;
use plop_accounts::email_validation::{EmailPurpose, NotValidated};
use plop_accounts::uia::UiaOperation;
use ruma::api::client::account::ThirdPartyIdRemovalStatus;
use ruma::api::client::account::{add_3pid, delete_3pid, unbind_3pid};
use ruma::api::error::ErrorKind;
use ruma::thirdparty::Medium;
use serde::Serialize;

use crate::error::ApiError;
use crate::extract::{ActiveSession, ClientAddress, Interactive, Json, Ruma, Session};

/// The answer. ruma's type leaves an empty list out, which clients do not expect.
#[derive(Serialize)]
pub struct Addresses {
    threepids: Vec<Address>,
}

#[derive(Serialize)]
struct Address {
    medium: &'static str,
    address: String,
    validated_at: u64,
    added_at: u64,
}

/// `GET /_matrix/client/v3/account/3pid` (client-server API, "Adding Account Administrative Contact Information"). For users.
pub async fn list(State(accounts): State<Accounts>, session: Session) -> Result<Json<Addresses>, ApiError> {
    let addresses = accounts.addresses(session.actor()).await?;
    let shown = addresses.into_iter().map(|(address, row)| Address {
        medium: "email",
        address: address.as_str().to_owned(),
        validated_at: row.validated.0,
        added_at: row.added.0,
    });
    Ok(Json(Addresses { threepids: shown.collect() }))
}

/// `POST /_matrix/client/v3/account/3pid/add` (client-server API, "Adding Account Administrative Contact Information"). For active users, with interactive
/// authentication, which is not asked for in vain: the address is proven before.
pub async fn add(
    State(accounts): State<Accounts>,
    session: ActiveSession,
    from: ClientAddress,
    request: Interactive<add_3pid::v3::Request>,
) -> Result<Ruma<add_3pid::v3::Response>, ApiError> {
    let (sid, secret) = (request.request.sid.as_str(), request.request.client_secret.as_str());
    if !accounts.is_email_validated(EmailPurpose::AddAddress, sid, secret) {
        return Err(NotValidated.into());
    }
    let authorized =
        request.authorize_user(&accounts, session.actor(), UiaOperation::AddAddress, from).await?;
    accounts.add_address(session.actor(), authorized, sid, secret).await?;
    Ok(Ruma(add_3pid::v3::Response::new()))
}

/// `POST /_matrix/client/v3/account/3pid/delete` (client-server API, "Adding Account Administrative Contact Information"). For active users. No identity
/// server knows of any address from here.
pub async fn delete(
    State(accounts): State<Accounts>,
    session: ActiveSession,
    Ruma(request): Ruma<delete_3pid::v3::Request>,
) -> Result<Ruma<delete_3pid::v3::Response>, ApiError> {
    if request.medium == Medium::Email {
        accounts.delete_address(session.actor(), &request.address).await?;
    }
    Ok(Ruma(delete_3pid::v3::Response::new(ThirdPartyIdRemovalStatus::NoSupport)))
}

/// `POST /_matrix/client/v3/account/3pid/bind` (client-server API, "Adding Account Administrative Contact Information"). For active users. There is no
/// identity server that this server trusts.
pub async fn bind(_: ActiveSession) -> ApiError {
    ApiError::bad_request(ErrorKind::ServerNotTrusted, "This server works with no identity server.")
}

/// `POST /_matrix/client/v3/account/3pid/unbind` (client-server API, "Adding Account Administrative Contact Information"). For active users. As
/// nothing is bound through this server, it knows of no identity server to ask.
pub async fn unbind(
    _: ActiveSession,
    Ruma(_): Ruma<unbind_3pid::v3::Request>,
) -> Ruma<unbind_3pid::v3::Response> {
    Ruma(unbind_3pid::v3::Response::new(ThirdPartyIdRemovalStatus::NoSupport))
}
