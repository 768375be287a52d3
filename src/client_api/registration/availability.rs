//! What a client asks before it registers.

use axum::extract::State;
use plop_accounts::Accounts;
use ruma::api::client::account::{check_registration_token_validity, get_username_availability};

use crate::error::ApiError;
use crate::extract::{ClientAddress, Ruma};

/// `GET /_matrix/client/v3/register/available` (client-server API, "Account registration"). For everyone, as often as one may register: names
/// that are taken are no secret, but the list of them is.
pub async fn username(
    State(accounts): State<Accounts>,
    from: ClientAddress,
    Ruma(request): Ruma<get_username_availability::v3::Request>,
) -> Result<Ruma<get_username_availability::v3::Response>, ApiError> {
    accounts.check_registration(Some(&request.username), Some(from.0)).await?;
    Ok(Ruma(get_username_availability::v3::Response::new(true)))
}

/// `GET /_matrix/client/v1/register/m.login.registration_token/validity` (client-server API, "Token-authenticated registration"). For everyone,
/// as often as one may register.
pub async fn token(
    State(accounts): State<Accounts>,
    from: ClientAddress,
    Ruma(request): Ruma<check_registration_token_validity::v1::Request>,
) -> Result<Ruma<check_registration_token_validity::v1::Response>, ApiError> {
    let valid = accounts.registration_token_is_valid(&request.token, from.0).await?;
    Ok(Ruma(check_registration_token_validity::v1::Response::new(valid)))
}
