//! The children of an event: `/rooms/{roomId}/relations/{eventId}`, of one type of relation, of one type of event.

use axum::extract::State;
use plop_db::Direction;
use plop_rooms::reader::client_event::Detail;
use plop_rooms::reader::history::PageRequest;
use plop_rooms::reader::relations::RelationsRequest;
use plop_rooms::{MAX_RELATION_DEPTH, Rooms};
use plop_state::pdu::ClientFormat;
use ruma::{OwnedEventId, OwnedRoomId, UInt, api};
use serde::Deserialize;

use super::places::place;
use crate::answer::JsonAnswer;
use crate::error::ApiError;
use crate::extract::{Path, Query, Session};

/// Events without a limit in the request.
const DEFAULT_LIMIT: u64 = 20;

/// The query.
#[derive(Deserialize)]
pub struct Page {
    from: Option<String>,
    to: Option<String>,
    #[serde(default)]
    dir: api::Direction,
    limit: Option<UInt>,
    #[serde(default)]
    recurse: bool,
}

/// Whose children, and which.
struct Asked {
    room: OwnedRoomId,
    parent: OwnedEventId,
    rel_type: Option<String>,
    kind: Option<String>,
}

/// `GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}` (client-server API, "Relationships API"). Access token.
pub async fn all(
    State(rooms): State<Rooms>,
    session: Session,
    Path((room, parent)): Path<(OwnedRoomId, OwnedEventId)>,
    Query(page): Query<Page>,
) -> Result<JsonAnswer, ApiError> {
    children(&rooms, &session, Asked { room, parent, rel_type: None, kind: None }, page).await
}

/// `GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}/{relType}` (client-server API, "Relationships API"). Access token.
pub async fn of_type(
    State(rooms): State<Rooms>,
    session: Session,
    Path((room, parent, rel_type)): Path<(OwnedRoomId, OwnedEventId, String)>,
    Query(page): Query<Page>,
) -> Result<JsonAnswer, ApiError> {
    children(&rooms, &session, Asked { room, parent, rel_type: Some(rel_type), kind: None }, page).await
}

/// `GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}/{relType}/{eventType}` (client-server API, "Relationships API"). Access token.
pub async fn of_event_type(
    State(rooms): State<Rooms>,
    session: Session,
    Path((room, parent, rel_type, kind)): Path<(OwnedRoomId, OwnedEventId, String, String)>,
    Query(page): Query<Page>,
) -> Result<JsonAnswer, ApiError> {
    children(&rooms, &session, Asked { room, parent, rel_type: Some(rel_type), kind: Some(kind) }, page).await
}

async fn children(
    rooms: &Rooms,
    session: &Session,
    asked: Asked,
    page: Page,
) -> Result<JsonAnswer, ApiError> {
    let (mut reader, _) = rooms.reader_of_event(session.actor(), &asked.room, &asked.parent).await?;
    let limit = page.limit.map_or(DEFAULT_LIMIT, u64::from);
    if limit == 0 {
        return Err(ApiError::invalid_param("`limit` is 0."));
    }
    let request = RelationsRequest {
        parent: &asked.parent,
        rel_type: asked.rel_type.as_deref(),
        kind: asked.kind.as_deref(),
        recurse: page.recurse,
        page: PageRequest {
            from: place(rooms, &reader, page.from.as_deref()).await?,
            to: place(rooms, &reader, page.to.as_deref()).await?,
            direction: match page.dir {
                api::Direction::Backward => Direction::Backward,
                api::Direction::Forward => Direction::Forward,
            },
            limit,
        },
    };
    let found = reader.relations(&request).await?;
    let chunk = reader.client_events(&found.events, ClientFormat::Full, Detail::Timeline).await?;
    let next = found.next.map(|next| next.to_string());
    let answer = JsonAnswer::new()
        .list("chunk", &chunk)
        .maybe_string("next_batch", next.as_deref())
        .maybe_string("prev_batch", page.from.as_deref());
    Ok(if page.recurse { answer.text("recursion_depth", &MAX_RELATION_DEPTH.to_string()) } else { answer })
}
