//! Asking for a mail that proves an e-mail address.
//!
//! For everyone, as often as [`plop_accounts`] lets an address, a network and everybody together. Identity servers that a client names are not asked: this
//! server proves addresses itself. Telephone numbers are not taken.

use axum::extract::State;
use plop_accounts::Accounts;
use plop_accounts::email_validation::{EmailPurpose, EmailRequest};
use ruma::UInt;
use ruma::api::error::ErrorKind;
use serde::{Deserialize, Serialize};

use crate::error::ApiError;
use crate::extract::{ClientAddress, Json};

/// The body, the same for each purpose.
#[derive(Deserialize)]
pub struct Body {
    client_secret: String,
    email: String,
    send_attempt: UInt,
    next_link: Option<String>,
}

/// The answer. There is no `submit_url`: the mail's link leads here.
#[derive(Serialize)]
pub struct Response {
    sid: String,
}

/// `POST /_matrix/client/v3/register/email/requestToken` (client-server API, "Account registration"). For everyone.
pub async fn to_register(
    State(accounts): State<Accounts>,
    from: ClientAddress,
    Json(body): Json<Body>,
) -> Result<Json<Response>, ApiError> {
    request(&accounts, EmailPurpose::Register, from, body).await
}

/// `POST /_matrix/client/v3/account/3pid/email/requestToken` (client-server API, "Adding Account Administrative Contact Information"). For everyone.
pub async fn to_add(
    State(accounts): State<Accounts>,
    from: ClientAddress,
    Json(body): Json<Body>,
) -> Result<Json<Response>, ApiError> {
    request(&accounts, EmailPurpose::AddAddress, from, body).await
}

/// `POST /_matrix/client/v3/account/password/email/requestToken` (client-server API, "Password management"). For everyone.
pub async fn to_reset_password(
    State(accounts): State<Accounts>,
    from: ClientAddress,
    Json(body): Json<Body>,
) -> Result<Json<Response>, ApiError> {
    request(&accounts, EmailPurpose::ResetPassword, from, body).await
}

/// `POST /_matrix/client/v3/account/3pid/msisdn/requestToken`, and the same below `account/password` and `register`. For everyone.
pub async fn to_phone() -> ApiError {
    ApiError::bad_request(ErrorKind::ThreepidMediumNotSupported, "This server takes no telephone numbers.")
}

async fn request(
    accounts: &Accounts,
    purpose: EmailPurpose,
    from: ClientAddress,
    body: Body,
) -> Result<Json<Response>, ApiError> {
    let Body { client_secret, email, send_attempt, next_link } = body;
    let send_attempt = send_attempt.into();
    let request =
        EmailRequest { purpose, address: email, client_secret, send_attempt, next_link, from: from.0 };
    Ok(Json(Response { sid: accounts.request_email(request).await? }))
}
