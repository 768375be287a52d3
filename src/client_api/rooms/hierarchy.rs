//! Spaces: `/rooms/{roomId}/hierarchy`.

use axum::extract::State;
use plop_rooms::Rooms;
use plop_rooms::spaces::{HierarchyPage, HierarchyRequest, SpaceRoom};
use ruma::OwnedRoomId;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::summary::Summary;
use crate::error::ApiError;
use crate::extract::{Json, Path, Query, Session};

/// The query. ruma's type takes a limit of 0.
#[derive(Deserialize)]
pub struct Parameters {
    #[serde(default)]
    suggested_only: bool,
    limit: Option<std::num::NonZeroU64>,
    max_depth: Option<u64>,
    from: Option<String>,
}

/// `GET /_matrix/client/v1/rooms/{roomId}/hierarchy` (client-server API, "Spaces"). Access token.
pub async fn hierarchy(
    State(rooms): State<Rooms>,
    session: Session,
    Path(root): Path<OwnedRoomId>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<Answer>, ApiError> {
    let request = HierarchyRequest {
        root: &root,
        suggested_only: parameters.suggested_only,
        max_depth: parameters.max_depth,
        limit: parameters.limit.map(Into::into),
        from: parameters.from.as_deref(),
    };
    let page = rooms.hierarchy(session.actor(), request).await?;
    Ok(Json(page.try_into()?))
}

/// The answer.
#[derive(Serialize)]
pub struct Answer {
    rooms: Vec<Room>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_batch: Option<String>,
}

#[derive(Serialize)]
struct Room {
    #[serde(flatten)]
    summary: Summary,
    children_state: Vec<Box<RawValue>>,
}

impl TryFrom<HierarchyPage> for Answer {
    type Error = ApiError;

    fn try_from(page: HierarchyPage) -> Result<Self, ApiError> {
        let rooms = page.rooms.into_iter().map(Room::try_from).collect::<Result<_, _>>()?;
        Ok(Self { rooms, next_batch: page.next })
    }
}

impl TryFrom<SpaceRoom> for Room {
    type Error = ApiError;

    fn try_from(room: SpaceRoom) -> Result<Self, ApiError> {
        let children = room.children.into_iter().map(RawValue::from_string);
        let children_state = children.collect::<Result<_, _>>().map_err(ApiError::internal)?;
        Ok(Self { summary: room.summary.into(), children_state })
    }
}
