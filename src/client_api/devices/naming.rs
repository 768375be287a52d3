//! `PUT /v3/devices/{deviceId}`.

use axum::extract::State;
use http::StatusCode;
use plop_accounts::Accounts;
use plop_accounts::devices::DeviceUpdate;
use ruma::api::client::device::update_device::v3::{Request, Response};

use crate::error::ApiError;
use crate::extract::{OrGuest, Ruma, Session};

/// `PUT /_matrix/client/v3/devices/{deviceId}` (client-server API, "Device Management"). For users and guests.
pub async fn rename(
    State(accounts): State<Accounts>,
    session: OrGuest<Session>,
    Ruma(request): Ruma<Request>,
) -> Result<(StatusCode, Ruma<Response>), ApiError> {
    let update = accounts.update_device(session.actor(), &request.device_id, request.display_name).await?;
    let status = match update {
        DeviceUpdate::Updated => StatusCode::OK,
        DeviceUpdate::Created => StatusCode::CREATED,
    };
    Ok((status, Ruma(Response::new())))
}
