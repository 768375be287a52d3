//! Scheduling: `PUT /rooms/{roomId}/delayed_event/{eventType}/{txnId}`, and what `/send` and `/state` do with a delay.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use plop_base::Actor;
use plop_delayed::{Delayed, NewDelayed};
use plop_state::json::{Object, Value};
use ruma::OwnedRoomId;
use ruma::api::error::ErrorKind;
use serde::Serialize;

use crate::error::ApiError;
use crate::errors::delayed::former;
use crate::extract::{Acting, ActiveSession, Content, Json, Path, SendOptions};

/// The answer.
#[derive(Serialize)]
pub struct Scheduled {
    delay_id: String,
}

/// `PUT /_matrix/client/v3/rooms/{roomId}/delayed_event/{eventType}/{txnId}` (MSC4140, "Scheduling a delayed event"). Access token of an account that is
/// not suspended.
pub async fn schedule(
    State(delayed): State<Delayed>,
    session: Acting<ActiveSession>,
    options: SendOptions,
    Path((room, kind, transaction)): Path<(OwnedRoomId, String, String)>,
    Content(mut body): Content,
) -> Result<Json<Scheduled>, ApiError> {
    options.at_once()?;
    if options.time(session.actor())?.is_some() {
        return Err(ApiError::invalid_param("`ts` is not supported here."));
    }
    // Until September 2026 it was `delay`.
    let delay = body.get("delay_ms").or_else(|| body.get("delay"));
    let delay =
        delay.ok_or_else(|| ApiError::bad_request(ErrorKind::MissingParam, "`delay_ms` is missing."))?;
    let delay = delay.as_int().and_then(|millis| u64::try_from(millis).ok());
    let delay = delay.ok_or_else(|| ApiError::invalid_param("`delay_ms` is no number of milliseconds."))?;
    let state_key = match body.remove("state_key") {
        None => None,
        Some(Value::String(key)) => Some(key),
        Some(_) => return Err(ApiError::bad_request(ErrorKind::BadJson, "`state_key` is no string.")),
    };
    let Some(Value::Object(content)) = body.remove("content") else {
        return Err(ApiError::bad_request(ErrorKind::BadJson, "`content` is no object."));
    };
    let new = NewDelayed {
        room: &room,
        kind: &kind,
        state_key: state_key.as_deref(),
        content,
        delay: Duration::from_millis(delay),
        transaction: Some(&transaction),
    };
    Ok(Json(Scheduled { delay_id: delayed.schedule(session.actor(), new).await? }))
}

/// What `/send` and `/state` were asked for with a delay.
pub struct Former<'r> {
    pub room: &'r OwnedRoomId,
    pub kind: &'r str,
    pub state_key: Option<&'r str>,
    pub transaction: Option<&'r str>,
    pub delay: Duration,
    /// The body. A repeated request may have none.
    pub content: Result<Object, ApiError>,
}

/// Schedules an event in the older way.
pub async fn schedule_former(
    delayed: &Delayed,
    actor: &Actor,
    request: Former<'_>,
) -> Result<Response, ApiError> {
    let Former { room, kind, state_key, transaction, delay, content } = request;
    if let Some(transaction) = transaction
        && let Some(delay_id) = delayed.scheduled_by(actor, room, kind, transaction).await?
    {
        return Ok(Json(Scheduled { delay_id }).into_response());
    }
    let new = NewDelayed { room, kind, state_key, content: content?, delay, transaction };
    let delay_id = delayed.schedule(actor, new).await.map_err(former)?;
    Ok(Json(Scheduled { delay_id }).into_response())
}
