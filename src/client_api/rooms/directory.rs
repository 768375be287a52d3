//! The directory of published rooms: `/directory/list/room/{roomId}`, `/publicRooms`.

use axum::extract::State;
use plop_rooms::Rooms;
use plop_rooms::ops::directory::{DirectoryPage, DirectoryQuery};
use plop_rooms::ops::refusal::Refusal;
use plop_rooms::summary::RoomSummary;
use ruma::api::client::directory::{
    get_public_rooms, get_public_rooms_filtered, get_room_visibility, set_room_visibility,
};
use ruma::api::client::room::Visibility;
use ruma::directory::RoomNetwork;
use ruma::{OwnedRoomAliasId, OwnedRoomId, ServerName, UInt};
use serde::{Deserialize, Serialize};

use super::create::is_public;
use crate::budgets::Budgets;
use crate::error::ApiError;
use crate::extract::{ActiveSession, ClientAddress, Json, Path, Ruma, Session};

/// Rooms of a page without a limit in the request.
const DEFAULT_LIMIT: usize = 50;

/// `GET /_matrix/client/v3/directory/list/room/{roomId}` (client-server API, "Published room directory"). For everyone.
pub async fn visibility(
    State(rooms): State<Rooms>,
    Ruma(request): Ruma<get_room_visibility::v3::Request>,
) -> Result<Ruma<get_room_visibility::v3::Response>, ApiError> {
    let is_published = rooms.is_published(&request.room_id).await.map_err(unknown_room)?;
    let visibility = if is_published { Visibility::Public } else { Visibility::Private };
    Ok(Ruma(get_room_visibility::v3::Response::new(visibility)))
}

/// The body of the following; ruma's knows no default.
#[derive(Deserialize)]
pub struct NewVisibility {
    #[serde(default = "public")]
    visibility: Visibility,
}

fn public() -> Visibility {
    Visibility::Public
}

/// `PUT /_matrix/client/v3/directory/list/room/{roomId}` (client-server API, "Published room directory"). Access token of an account that is not
/// suspended.
pub async fn set_visibility(
    State(rooms): State<Rooms>,
    session: ActiveSession,
    Path(room): Path<OwnedRoomId>,
    Json(body): Json<NewVisibility>,
) -> Result<Ruma<set_room_visibility::v3::Response>, ApiError> {
    let listed = is_public(&body.visibility)?;
    rooms.publish(session.actor(), &room, listed).await.map_err(unknown_room)?;
    Ok(Ruma(set_room_visibility::v3::Response::new()))
}

/// "The room is not known to the server": nor is it to those who are not in it.
fn unknown_room(refusal: Refusal) -> ApiError {
    match refusal {
        Refusal::NotInRoom => ApiError::not_found("There is no such room."),
        refusal => refusal.into(),
    }
}

/// `GET /_matrix/client/v3/publicRooms` (client-server API, "Published room directory"). For everyone.
pub async fn published_rooms(
    State(rooms): State<Rooms>,
    State(budgets): State<Budgets>,
    from: ClientAddress,
    Ruma(request): Ruma<get_public_rooms::v3::Request>,
) -> Result<Json<PublicRooms>, ApiError> {
    budgets.take_from(from.0)?;
    check_server(&rooms, request.server.as_deref())?;
    let query = query(request.limit, request.since.as_deref())?;
    Ok(Json(rooms.published_rooms(&query).await?.into()))
}

/// `POST /_matrix/client/v3/publicRooms` (client-server API, "Published room directory"). Access token.
pub async fn search(
    State(rooms): State<Rooms>,
    _: Session,
    Ruma(request): Ruma<get_public_rooms_filtered::v3::Request>,
) -> Result<Json<PublicRooms>, ApiError> {
    check_server(&rooms, request.server.as_deref())?;
    let mut query = query(request.limit, request.since.as_deref())?;
    query.term = request.filter.generic_search_term.filter(|term| !term.is_empty());
    let types: Vec<_> =
        request.filter.room_types.iter().map(|kind| kind.as_str().map(ToOwned::to_owned)).collect();
    query.room_types = Some(types).filter(|types| !types.is_empty());
    match request.room_network {
        RoomNetwork::Matrix | RoomNetwork::All => Ok(Json(rooms.published_rooms(&query).await?.into())),
        // There are no bridges to other networks.
        _ => Ok(Json(DirectoryPage { rooms: Vec::new(), next: None, previous: None }.into())),
    }
}

fn query(limit: Option<UInt>, since: Option<&str>) -> Result<DirectoryQuery, ApiError> {
    // What does not fit is cut to what one page has anyway.
    let limit = limit.map_or(DEFAULT_LIMIT, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let since = since.filter(|since| !since.is_empty()).map(str::parse).transpose();
    let since = since.map_err(ApiError::invalid_param)?;
    Ok(DirectoryQuery { limit, since, ..DirectoryQuery::default() })
}

fn check_server(rooms: &Rooms, server: Option<&ServerName>) -> Result<(), ApiError> {
    match server {
        Some(server) if server != rooms.server() => {
            Err(ApiError::invalid_param("The directories of other servers cannot be asked."))
        }
        _ => Ok(()),
    }
}

/// The answer. Unlike in ruma's, `join_rule` is always there: clients and test suites look for it.
#[derive(Serialize)]
pub struct PublicRooms {
    chunk: Vec<PublicRoom>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_batch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prev_batch: Option<String>,
}

/// A room of the answer, and of others that list rooms.
#[derive(Serialize)]
pub(super) struct PublicRoom {
    room_id: OwnedRoomId,
    num_joined_members: u64,
    world_readable: bool,
    guest_can_join: bool,
    join_rule: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    avatar_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    canonical_alias: Option<OwnedRoomAliasId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room_type: Option<String>,
}

impl From<DirectoryPage> for PublicRooms {
    fn from(page: DirectoryPage) -> Self {
        Self {
            chunk: page.rooms.into_iter().map(PublicRoom::from).collect(),
            next_batch: page.next.map(|place| place.to_string()),
            prev_batch: page.previous.map(|place| place.to_string()),
        }
    }
}

impl From<RoomSummary> for PublicRoom {
    fn from(room: RoomSummary) -> Self {
        Self {
            room_id: room.room,
            num_joined_members: room.joined_members,
            world_readable: room.is_world_readable,
            guest_can_join: room.guests_may_join,
            // A room without join rules lets in who is invited.
            join_rule: room.join_rule.unwrap_or_else(|| "invite".to_owned()),
            name: room.name,
            topic: room.topic,
            avatar_url: room.avatar_url,
            canonical_alias: room.canonical_alias,
            room_type: room.room_type,
        }
    }
}
