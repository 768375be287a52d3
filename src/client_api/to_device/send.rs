//! `PUT /_matrix/client/v3/sendToDevice/{eventType}/{txnId}`.

use axum::extract::State;
use plop_e2ee::to_device::{Messages, ToDevice};
use ruma::api::client::to_device::send_event_to_device::v3::Response;
use serde::Deserialize;

use crate::error::ApiError;
use crate::extract::{Json, Path, Ruma, Session};

/// The body.
#[derive(Deserialize)]
pub struct Request {
    messages: Messages,
}

/// `PUT /_matrix/client/v3/sendToDevice/{eventType}/{txnId}` (client-server API, "Send-to-Device messaging"). Access token; a suspended account
/// verifies its devices this way.
pub async fn send(
    State(to_device): State<ToDevice>,
    session: Session,
    Path((event_type, transaction)): Path<(String, String)>,
    Json(request): Json<Request>,
) -> Result<Ruma<Response>, ApiError> {
    to_device.send(session.actor(), &event_type, &transaction, &request.messages).await?;
    Ok(Ruma(Response::new()))
}
