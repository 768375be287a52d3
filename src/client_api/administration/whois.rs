//! `GET /v3/admin/whois/{userId}`.

use std::collections::BTreeMap;

use axum::extract::State;
use plop_accounts::{Accounts, devices};
use ruma::api::client::admin::get_user_info::v3::Request;
use ruma::{OwnedDeviceId, OwnedUserId};
use serde::Serialize;

use crate::error::ApiError;
use crate::extract::{Json, Ruma, Session};

/// The answer. ruma's type says `null` for what is not known, where the specification says nothing.
#[derive(Serialize)]
pub struct Response {
    user_id: OwnedUserId,
    devices: BTreeMap<OwnedDeviceId, Device>,
}

#[derive(Serialize)]
struct Device {
    sessions: [DeviceSession; 1],
}

/// A device has one login at a time.
#[derive(Serialize)]
struct DeviceSession {
    connections: Vec<Connection>,
}

#[derive(Serialize)]
struct Connection {
    ip: String,
    last_seen: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
}

/// `GET /_matrix/client/v3/admin/whois/{userId}` (client-server API, "Server Administration"). For the user, and for administrators. Of each device
/// the last sighting is known.
pub async fn whois(
    State(accounts): State<Accounts>,
    session: Session,
    Ruma(request): Ruma<Request>,
) -> Result<Json<Response>, ApiError> {
    let actor = session.acting_as(&request.user_id)?;
    let devices = accounts.devices_if_present(&actor).await?;
    let devices = devices.into_iter().map(|device| (device.id.clone(), device.into())).collect();
    Ok(Json(Response { user_id: request.user_id, devices }))
}

impl From<devices::Device> for Device {
    fn from(device: devices::Device) -> Self {
        let seen = device.last_seen.zip(device.last_seen_address);
        let connection =
            seen.map(|(at, ip)| Connection { ip, last_seen: at.0, user_agent: device.user_agent });
        Self { sessions: [DeviceSession { connections: connection.into_iter().collect() }] }
    }
}
