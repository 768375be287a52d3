//! `POST /v3/register`.

use axum::extract::{FromRequest, FromRequestParts as _, Request as HttpRequest, State};
use plop_accounts::Accounts;
use plop_accounts::registration::{NewAccount, Registered};
use plop_accounts::sessions::NewDevice;
use plop_accounts::uia::UiaOperation;
use plop_state::json::{Object, Value};
use ruma::api::client::account::register::LoginType;
use ruma::api::client::account::register::v3::Request;
use ruma::api::error::ErrorKind;
use ruma::{OwnedDeviceId, OwnedUserId};
use serde::{Deserialize, Serialize};

use crate::error::ApiError;
use crate::extract::{Addition, ClientAddress, HasBodies, Interactive, Json, Query};

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

/// The query.
#[derive(Deserialize)]
pub struct Parameters {
    kind: Option<String>,
}

/// A request, as its kind of account says that it is to be read.
pub enum Registration {
    User(Box<Interactive<Request>>),
    /// "All parameters in the request body with the exception of `initial_device_display_name` MUST BE ignored by the server."
    Guest {
        device_name: Option<String>,
    },
}

/// `POST /_matrix/client/v3/register` (client-server API, "Account registration"). For everyone; for users with interactive authentication.
pub async fn register(
    State(accounts): State<Accounts>,
    from: ClientAddress,
    registration: Registration,
) -> Result<Json<Response>, ApiError> {
    let registered = match registration {
        Registration::User(request) => register_user(&accounts, from, *request).await?,
        Registration::Guest { device_name } => accounts.register_guest(device_name, from.0).await?,
    };
    Ok(Json(registered.into()))
}

/// The name is looked at before anything has to be proven: a free one, or that of the guest who becomes a user.
async fn register_user(
    accounts: &Accounts,
    from: ClientAddress,
    request: Interactive<Request>,
) -> Result<Registered, ApiError> {
    if request.request.login_type == Some(LoginType::ApplicationService) {
        return Err(ApiError::unknown_token(false, "No application service has this token."));
    }
    let flows = accounts.registration_flows()?;
    let counted = request.is_repetition(accounts, UiaOperation::Register, &flows, from);
    let counted = (!counted).then_some(from.0);
    let username = request.request.username.as_deref();
    let guest = match &request.request.guest_access_token {
        Some(token) => Some(accounts.check_upgrade(token, username, counted).await?),
        None => {
            accounts.check_registration(username, counted).await?;
            None
        }
    };
    let authorized = request.authorize(accounts, None, UiaOperation::Register, &flows, from).await?;
    let account = new_account(request.request);
    Ok(match guest {
        Some(guest) => accounts.upgrade_guest(authorized, guest, account).await?,
        None => accounts.register(authorized, account).await?,
    })
}

impl<S: HasBodies> FromRequest<S> for Registration {
    type Rejection = ApiError;

    async fn from_request(request: HttpRequest, state: &S) -> Result<Self, ApiError> {
        let (mut head, body) = request.into_parts();
        let Query(Parameters { kind }) = Query::from_request_parts(&mut head, state).await?;
        let request = HttpRequest::from_parts(head, body);
        match kind.as_deref() {
            None | Some("user") => {
                let request = Interactive::from_request(request, state).await?;
                Ok(Self::User(Box::new(request)))
            }
            Some("guest") => {
                let Addition(body) = Addition::from_request(request, state).await?;
                Ok(Self::Guest { device_name: device_name(&body)? })
            }
            Some(_) => Err(ApiError::invalid_param("There is no such kind of account.")),
        }
    }
}

fn device_name(body: &Object) -> Result<Option<String>, ApiError> {
    match body.get("initial_device_display_name") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(name)) => Ok(Some(name.to_string())),
        Some(_) => {
            Err(ApiError::bad_request(ErrorKind::BadJson, "`initial_device_display_name` is no string."))
        }
    }
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
