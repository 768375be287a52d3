//! Reading devices.

use axum::extract::State;
use plop_accounts::Accounts;
use plop_accounts::devices;
use ruma::api::client::device::{Device, get_device, get_devices};

use crate::error::ApiError;
use crate::extract::{Ruma, Session};

/// `GET /_matrix/client/v3/devices` (client-server API, "Device Management"). For users.
pub async fn all(
    State(accounts): State<Accounts>,
    session: Session,
) -> Result<Ruma<get_devices::v3::Response>, ApiError> {
    let devices = accounts.devices(session.actor()).await?;
    Ok(Ruma(get_devices::v3::Response::new(devices.into_iter().map(shown).collect())))
}

/// `GET /_matrix/client/v3/devices/{deviceId}` (client-server API, "Device Management"). For users.
pub async fn one(
    State(accounts): State<Accounts>,
    session: Session,
    Ruma(request): Ruma<get_device::v3::Request>,
) -> Result<Ruma<get_device::v3::Response>, ApiError> {
    let device = accounts.device(session.actor(), &request.device_id).await?;
    Ok(Ruma(get_device::v3::Response::new(shown(device))))
}

fn shown(device: devices::Device) -> Device {
    let mut shown = Device::new(device.id);
    shown.display_name = device.display_name;
    shown.last_seen_ip = device.last_seen_address;
    shown.last_seen_ts = device.last_seen.map(Into::into);
    shown
}
