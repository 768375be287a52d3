//! `POST /v3/register`.

use axum::extract::State;
use plop_accounts::Accounts;
use plop_accounts::registration::{NewAccount, Registered};
use plop_accounts::sessions::NewDevice;
use plop_accounts::uia::UiaOperation;
use ruma::api::client::account::register::v3::Request;
use ruma::api::client::account::register::{LoginType, RegistrationKind};
use ruma::{OwnedDeviceId, OwnedUserId};
use serde::Serialize;

use crate::error::ApiError;
use crate::extract::{ClientAddress, Interactive, Json};

/// The answer. ruma's type says `null` for what is not there, where the specification says nothing.
#[derive(Serialize)]
pub struct Response {
    user_id: OwnedUserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_id: Option<OwnedDeviceId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in_ms: Option<u128>,
}

/// `POST /_matrix/client/v3/register` (client-server API, "Account registration"). For everyone, with interactive authentication. The name is
/// looked at before anything has to be proven.
pub async fn register(
    State(accounts): State<Accounts>,
    from: ClientAddress,
    request: Interactive<Request>,
) -> Result<Json<Response>, ApiError> {
    check_kind(&request.request)?;
    let flows = accounts.registration_flows()?;
    let counted = request.is_repetition(&accounts, UiaOperation::Register, &flows, from);
    let username = request.request.username.as_deref();
    accounts.check_registration(username, (!counted).then_some(from.0)).await?;
    let authorized = request.authorize(&accounts, None, UiaOperation::Register, &flows, from).await?;
    let registered = accounts.register(authorized, new_account(request.request)).await?;
    Ok(Json(registered.into()))
}

/// There are neither guests nor application services.
fn check_kind(request: &Request) -> Result<(), ApiError> {
    match request.kind {
        RegistrationKind::User => {}
        RegistrationKind::Guest => return Err(ApiError::forbidden("There are no guest accounts here.")),
        _ => return Err(ApiError::invalid_param("There is no such kind of account.")),
    }
    if request.guest_access_token.is_some() {
        return Err(ApiError::forbidden("There are no guest accounts here."));
    }
    if request.login_type == Some(LoginType::ApplicationService) {
        return Err(ApiError::unknown_token(false, "No application service has this token."));
    }
    Ok(())
}

fn new_account(request: Request) -> NewAccount {
    let device = NewDevice {
        id: request.device_id,
        display_name: request.initial_device_display_name,
        refreshable: request.refresh_token,
    };
    NewAccount {
        username: request.username,
        password: request.password.map(Into::into),
        display_name: None,
        device: (!request.inhibit_login).then_some(device),
    }
}

impl From<Registered> for Response {
    fn from(registered: Registered) -> Self {
        let (device_id, tokens) = registered.login.map(|login| (login.device, login.tokens)).unzip();
        Self {
            user_id: registered.user,
            device_id,
            expires_in_ms: tokens.as_ref().and_then(|tokens| Some(tokens.expires_in?.as_millis())),
            refresh_token: tokens.as_ref().and_then(|tokens| tokens.refresh.clone()),
            access_token: tokens.map(|tokens| tokens.access),
        }
    }
}
