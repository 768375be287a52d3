//! A room from outside: `/room_summary/{roomIdOrAlias}`.

use axum::extract::State;
use plop_rooms::Rooms;
use plop_rooms::preview::Preview;
use plop_rooms::reader::access::ReadRefusal;
use plop_rooms::summary::RoomSummary;
use ruma::{OwnedRoomId, OwnedRoomOrAliasId, RoomVersionId};
use serde::Serialize;

use super::directory::PublicRoom;
use super::entering::room_of;
use crate::budgets::Budgets;
use crate::error::ApiError;
use crate::extract::{ClientAddress, Json, OptionalSession, OrGuest, Path};

/// `GET /_matrix/client/v1/room_summary/{roomIdOrAlias}` (client-server API, "Room summaries"). Access token, a guest's, too, or none.
pub async fn summary(
    State(rooms): State<Rooms>,
    State(budgets): State<Budgets>,
    from: ClientAddress,
    session: OrGuest<OptionalSession>,
    Path(target): Path<OwnedRoomOrAliasId>,
) -> Result<Json<Answer>, ApiError> {
    let preview = preview(&rooms, &budgets, from, &session, target).await?;
    Ok(Json(preview.into()))
}

/// `GET /_matrix/client/unstable/im.nheko.summary/summary/{roomIdOrAlias}`: what became the endpoint above (MSC3266), which some clients ask for
/// by no other name. Access token, a guest's, too, or none.
pub async fn former_summary(
    State(rooms): State<Rooms>,
    State(budgets): State<Budgets>,
    from: ClientAddress,
    session: OrGuest<OptionalSession>,
    Path(target): Path<OwnedRoomOrAliasId>,
) -> Result<Json<FormerAnswer>, ApiError> {
    let preview = preview(&rooms, &budgets, from, &session, target).await?;
    let (version, encryption) = (preview.summary.version.clone(), preview.summary.encryption.clone());
    Ok(Json(FormerAnswer { version, encryption, answer: preview.into() }))
}

async fn preview(
    rooms: &Rooms,
    budgets: &Budgets,
    from: ClientAddress,
    session: &OptionalSession,
    target: OwnedRoomOrAliasId,
) -> Result<Preview, ApiError> {
    if session.actor().is_none() {
        budgets.take_from(from.0)?;
    }
    let room = room_of(rooms, target).await?;
    rooms.preview(session.actor(), &room).await.map_err(|refusal| match refusal {
        ReadRefusal::NotInRoom => ApiError::not_found("There is no such room."),
        refusal => refusal.into(),
    })
}

/// The answer.
#[derive(Serialize)]
pub struct Answer {
    #[serde(flatten)]
    summary: Summary,
    #[serde(skip_serializing_if = "Option::is_none")]
    membership: Option<&'static str>,
}

/// The same under the names of before the specification too.
#[derive(Serialize)]
pub struct FormerAnswer {
    #[serde(flatten)]
    answer: Answer,
    #[serde(rename = "im.nheko.summary.room_version")]
    version: RoomVersionId,
    #[serde(rename = "im.nheko.summary.encryption", skip_serializing_if = "Option::is_none")]
    encryption: Option<String>,
}

impl From<Preview> for Answer {
    fn from(preview: Preview) -> Self {
        let membership = preview.membership.map(plop_rooms::schema::Membership::as_str);
        Self { summary: preview.summary.into(), membership }
    }
}

/// What a room shows of itself (`RoomSummary` in the specification).
#[derive(Serialize)]
pub struct Summary {
    #[serde(flatten)]
    room: PublicRoom,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowed_room_ids: Vec<OwnedRoomId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption: Option<String>,
    room_version: RoomVersionId,
}

impl From<RoomSummary> for Summary {
    fn from(mut room: RoomSummary) -> Self {
        Self {
            allowed_room_ids: std::mem::take(&mut room.allowed_rooms),
            encryption: room.encryption.take(),
            room_version: room.version.clone(),
            room: room.into(),
        }
    }
}
