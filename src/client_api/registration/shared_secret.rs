//! `GET` and `POST /_synapse/admin/v1/register`: how scripts make accounts on every homeserver. Without a configured secret there is no such
//! endpoint.

use axum::extract::State;
use plop_accounts::Accounts;
use plop_accounts::sessions::NewDevice;
use plop_accounts::shared_secret::SharedSecretRegistration;
use ruma::OwnedDeviceId;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::register::Response;
use crate::error::ApiError;
use crate::extract::Json;

/// What is to be made, and the code over it.
#[derive(Deserialize)]
pub struct Request {
    nonce: String,
    username: String,
    password: String,
    displayname: Option<String>,
    #[serde(default)]
    admin: bool,
    user_type: Option<String>,
    mac: String,
    #[serde(default)]
    inhibit_login: bool,
    device_id: Option<OwnedDeviceId>,
    initial_device_display_name: Option<String>,
    #[serde(default)]
    refresh_token: bool,
}

/// A registration's answer, and the server's name, which scripts read.
#[derive(Serialize)]
pub struct WithHomeServer {
    #[serde(flatten)]
    response: Response,
    home_server: String,
}

/// `GET /_synapse/admin/v1/register` (as Synapse documents it). For everyone.
pub async fn nonce(State(accounts): State<Accounts>) -> Result<Json<Value>, ApiError> {
    let nonce = accounts.shared_secret_nonce()?;
    Ok(Json(json!({ "nonce": nonce })))
}

/// `POST /_synapse/admin/v1/register` (as Synapse documents it). The code is the authentication.
pub async fn register(
    State(accounts): State<Accounts>,
    Json(request): Json<Request>,
) -> Result<Json<WithHomeServer>, ApiError> {
    let device = NewDevice {
        id: request.device_id,
        display_name: request.initial_device_display_name,
        refreshable: request.refresh_token,
    };
    let request = SharedSecretRegistration {
        nonce: request.nonce,
        username: request.username,
        password: request.password.into(),
        display_name: request.displayname,
        admin: request.admin,
        user_type: request.user_type,
        mac: request.mac,
        device: (!request.inhibit_login).then_some(device),
    };
    let registered = accounts.register_with_shared_secret(request).await?;
    let home_server = registered.user.server_name().to_string();
    Ok(Json(WithHomeServer { response: registered.into(), home_server }))
}
