//! What one has scheduled, and what became of it: `GET /delayed_events`, `GET /delayed_events/{delayId}`.

use axum::extract::State;
use plop_delayed::{Delayed, Filter};
use ruma::OwnedRoomId;
use serde::{Deserialize, Serialize};

use super::form::{Event, FormerEvent};
use crate::error::ApiError;
use crate::extract::{Json, Path, Query, Session};

/// `GET /_matrix/client/v1/delayed_events/{delayId}` (MSC4140, "Getting a single delayed event"). Access token.
pub async fn get(
    State(delayed): State<Delayed>,
    session: Session,
    Path(id): Path<String>,
) -> Result<Json<Event>, ApiError> {
    Ok(Json(delayed.get(session.actor(), &id).await?.try_into()?))
}

/// `GET /_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delayId}`: the same, with the names of before. Access token.
pub async fn former_get(
    State(delayed): State<Delayed>,
    session: Session,
    Path(id): Path<String>,
) -> Result<Json<FormerEvent>, ApiError> {
    Ok(Json(delayed.get(session.actor(), &id).await?.try_into()?))
}

/// The query of the following.
#[derive(Deserialize)]
pub struct Parameters {
    #[serde(default)]
    status: Status,
    room_id: Option<OwnedRoomId>,
    #[serde(rename = "type")]
    kind: Option<String>,
    from: Option<String>,
}

/// Which events: without a word those that are scheduled, as clients know it.
#[derive(Deserialize, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Status {
    #[default]
    Scheduled,
    Finalised,
}

/// The answer.
#[derive(Serialize)]
pub struct Answer {
    delayed_events: Vec<FormerEvent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_batch: Option<String>,
}

/// `GET /_matrix/client/unstable/org.matrix.msc4140/delayed_events` (MSC4140 as of 2025; what was accepted has no list). Access token.
pub async fn list(
    State(delayed): State<Delayed>,
    session: Session,
    Query(parameters): Query<Parameters>,
) -> Result<Json<Answer>, ApiError> {
    let filter = Filter {
        finalised: parameters.status == Status::Finalised,
        room: parameters.room_id.as_deref(),
        kind: parameters.kind.as_deref(),
        from: parameters.from.as_deref(),
    };
    let page = delayed.list(session.actor(), filter).await?;
    let page = page.ok_or_else(|| ApiError::invalid_param("`from` is no token of this list."))?;
    let events = page.events.into_iter().map(FormerEvent::try_from);
    Ok(Json(Answer { delayed_events: events.collect::<Result<_, _>>()?, next_batch: page.next }))
}
