//! How an event that is sent later looks to its user.

use plop_delayed::Listed;
use plop_delayed::schema::{End, FailureKind, FailureRow, FinalisedRow};
use ruma::{OwnedEventId, OwnedRoomId};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::error::ApiError;

/// An event (MSC4140, "Getting a single delayed event").
#[derive(Serialize)]
pub struct Event {
    delay_id: String,
    room_id: OwnedRoomId,
    #[serde(rename = "type")]
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_key: Option<String>,
    delay_ms: u64,
    delayed_since_ts: u64,
    content: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finalised: Option<Finalised>,
}

/// The same with the names of before too.
#[derive(Serialize)]
pub struct FormerEvent {
    #[serde(flatten)]
    event: Event,
    delay: u64,
    running_since: u64,
    #[serde(flatten)]
    end: Option<Finalised>,
}

/// What became of it.
#[derive(Clone, Serialize)]
struct Finalised {
    finalised_ts: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<OwnedEventId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

#[derive(Clone, Serialize)]
struct Failure {
    errcode: &'static str,
    error: String,
}

impl TryFrom<Listed> for Event {
    type Error = ApiError;

    fn try_from(Listed { id, row }: Listed) -> Result<Self, ApiError> {
        Ok(Self {
            delay_id: id,
            room_id: row.room,
            kind: row.kind,
            state_key: row.state_key,
            delay_ms: row.delay,
            delayed_since_ts: row.since.0,
            content: RawValue::from_string(row.content.0).map_err(ApiError::internal)?,
            finalised: row.finalised.map(Finalised::from),
        })
    }
}

impl TryFrom<Listed> for FormerEvent {
    type Error = ApiError;

    fn try_from(listed: Listed) -> Result<Self, ApiError> {
        let event = Event::try_from(listed)?;
        let (delay, running_since, end) = (event.delay_ms, event.delayed_since_ts, event.finalised.clone());
        Ok(Self { event, delay, running_since, end })
    }
}

impl From<FinalisedRow> for Finalised {
    fn from(row: FinalisedRow) -> Self {
        let (event_id, error) = match row.end {
            End::Sent { event } => (Some(event), None),
            End::Refused { failure } => (None, Some(failure.into())),
            End::Cancelled => (None, None),
        };
        Self { finalised_ts: row.at.0, event_id, error }
    }
}

impl From<FailureRow> for Failure {
    fn from(row: FailureRow) -> Self {
        let errcode = match row.kind {
            FailureKind::Forbidden => "M_FORBIDDEN",
            FailureKind::NotFound => "M_NOT_FOUND",
            FailureKind::TooLarge => "M_TOO_LARGE",
            FailureKind::Suspended => "M_USER_SUSPENDED",
            FailureKind::AccountEnded => "M_USER_DEACTIVATED",
            FailureKind::Limited => "M_LIMIT_EXCEEDED",
            FailureKind::Replaced | FailureKind::Other => "M_UNKNOWN",
        };
        Self { errcode, error: row.reason }
    }
}
