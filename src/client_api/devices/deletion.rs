//! Deleting devices. One that is not there is deleted already.

use axum::extract::State;
use plop_accounts::Accounts;
use plop_accounts::uia::UiaOperation;
use ruma::api::client::device::{delete_device, delete_devices};

use crate::error::ApiError;
use crate::extract::{ClientAddress, Interactive, Ruma, Session};

/// `DELETE /_matrix/client/v3/devices/{deviceId}` (client-server API, "Device Management"). For users, with interactive authentication.
pub async fn one(
    State(accounts): State<Accounts>,
    session: Session,
    from: ClientAddress,
    request: Interactive<delete_device::v3::Request>,
) -> Result<Ruma<delete_device::v3::Response>, ApiError> {
    let device = request.request.device_id.clone();
    let operation = UiaOperation::DeleteDevice(device.clone());
    let authorized = request.authorize_user(&accounts, session.actor(), operation, from).await?;
    accounts.delete_devices(session.actor(), authorized, &[device]).await?;
    Ok(Ruma(delete_device::v3::Response::new()))
}

/// `POST /_matrix/client/v3/delete_devices` (client-server API, "Device Management"). For users, with interactive authentication.
pub async fn several(
    State(accounts): State<Accounts>,
    session: Session,
    from: ClientAddress,
    request: Interactive<delete_devices::v3::Request>,
) -> Result<Ruma<delete_devices::v3::Response>, ApiError> {
    let operation = UiaOperation::DeleteDevices;
    let authorized = request.authorize_user(&accounts, session.actor(), operation, from).await?;
    accounts.delete_devices(session.actor(), authorized, &request.request.devices).await?;
    Ok(Ruma(delete_devices::v3::Response::new()))
}
