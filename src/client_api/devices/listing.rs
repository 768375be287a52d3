//! Reading devices.

use axum::extract::State;
use plop_accounts::{Accounts, devices};
use ruma::OwnedDeviceId;
use ruma::api::client::device::get_device;
use serde::Serialize;

use crate::error::ApiError;
use crate::extract::{Json, OrGuest, Ruma, Session};

/// A device. What is not known is `null`, as Synapse answers: the specification lets it be left out, but clients (matrix-nio) ask for every key.
/// ruma's type does one for some and the other for others.
#[derive(Serialize)]
pub struct Device {
    device_id: OwnedDeviceId,
    display_name: Option<String>,
    last_seen_ip: Option<String>,
    last_seen_ts: Option<u64>,
}

/// The answer of `GET /devices`.
#[derive(Serialize)]
pub struct Devices {
    devices: Vec<Device>,
}

/// `GET /_matrix/client/v3/devices` (client-server API, "Device Management"). For users and guests.
pub async fn all(
    State(accounts): State<Accounts>,
    session: OrGuest<Session>,
) -> Result<Json<Devices>, ApiError> {
    let devices = accounts.devices(session.actor()).await?;
    Ok(Json(Devices { devices: devices.into_iter().map(Device::from).collect() }))
}

/// `GET /_matrix/client/v3/devices/{deviceId}` (client-server API, "Device Management"). For users and guests.
pub async fn one(
    State(accounts): State<Accounts>,
    session: OrGuest<Session>,
    Ruma(request): Ruma<get_device::v3::Request>,
) -> Result<Json<Device>, ApiError> {
    let device = accounts.device(session.actor(), &request.device_id).await?;
    Ok(Json(device.into()))
}

impl From<devices::Device> for Device {
    fn from(device: devices::Device) -> Self {
        Self {
            device_id: device.id,
            display_name: device.display_name,
            last_seen_ip: device.last_seen_address,
            last_seen_ts: device.last_seen.map(|seen| seen.0),
        }
    }
}
