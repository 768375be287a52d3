//! `PUT /_matrix/client/v3/sendToDevice/{eventType}/{txnId}`.

use std::collections::BTreeMap;

use axum::extract::State;
use plop_e2ee::to_device::{Messages, ToDevice};
use ruma::api::client::to_device::send_event_to_device::v3::Response;
use serde::Deserialize;

use crate::budgets::{Budgets, Cost};
use crate::error::ApiError;
use crate::extract::{Json, OrGuest, Path, Ruma, Session};

/// So many messages cost as much as a request.
const MESSAGES_OF_ONE_WRITE: usize = 50;

/// The body.
#[derive(Deserialize)]
pub struct Request {
    messages: Messages,
}

/// `PUT /_matrix/client/v3/sendToDevice/{eventType}/{txnId}` (client-server API, "Send-to-Device messaging"). Access token, a guest's, too; a suspended account
/// verifies its devices this way.
pub async fn send(
    State(to_device): State<ToDevice>,
    State(budgets): State<Budgets>,
    session: OrGuest<Session>,
    Path((event_type, transaction)): Path<(String, String)>,
    Json(request): Json<Request>,
) -> Result<Ruma<Response>, ApiError> {
    let count: usize = request.messages.values().map(BTreeMap::len).sum();
    let besides = u32::try_from(count / MESSAGES_OF_ONE_WRITE).unwrap_or(u32::MAX);
    budgets.charge(session.user()?, Cost::Write(besides));
    to_device.send(session.actor(), &event_type, &transaction, &request.messages).await?;
    Ok(Ruma(Response::new()))
}
