//! Scheduling: `PUT /rooms/{roomId}/delayed_event/{eventType}/{txnId}`, and what `/send` and `/state` do with a delay.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use plop_base::Actor;
use plop_delayed::{DelayRefusal, Delayed, NewDelayed};
use plop_state::json::{Object, Value};
use ruma::OwnedRoomId;
use ruma::api::error::ErrorKind;
use serde::Serialize;
use serde_json::json;

use crate::error::ApiError;
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
) -> Result<Response, ApiError> {
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
    match delayed.schedule(session.actor(), new).await {
        Ok(delay_id) => Ok(Json(Scheduled { delay_id }).into_response()),
        Err(DelayRefusal::TooLong { max }) => Ok(too_long("M_MAX_DELAY_EXCEEDED", max)),
        Err(refusal) => Err(refusal.into()),
    }
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
    match delayed.schedule(actor, new).await {
        Ok(delay_id) => Ok(Json(Scheduled { delay_id }).into_response()),
        Err(DelayRefusal::TooLong { max }) => Ok(too_long("M_UNKNOWN", max)),
        Err(refusal) => Err(refusal.into()),
    }
}

/// Clients of each dialect look for their own names, and try again with the delay that is allowed.
fn too_long(errcode: &str, max: Duration) -> Response {
    let max_delay = u64::try_from(max.as_millis()).unwrap_or(u64::MAX);
    let body = json!({
        "errcode": errcode,
        "error": "The requested delay exceeds the allowed maximum.",
        "max_delay": max_delay,
        "org.matrix.msc4140.errcode": "M_MAX_DELAY_EXCEEDED",
        "org.matrix.msc4140.max_delay": max_delay,
    });
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}
