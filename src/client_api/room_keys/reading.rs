//! Reading keys: one, those of a room, all.

use axum::extract::State;
use axum::response::Response;
use plop_e2ee::backup::KeyBackups;
use plop_state::json::TextWriter;
use ruma::OwnedRoomId;

use super::list::{KeyList, write_key};
use super::version::OfBackup;
use crate::error::ApiError;
use crate::extract::{JsonText, Path, Query, Session};
use crate::parts;

/// `GET /_matrix/client/v3/room_keys/keys` (client-server API, "Server-side key backups"). For users.
pub async fn all(
    State(backups): State<KeyBackups>,
    session: Session,
    Query(of): Query<OfBackup>,
) -> Result<Response, ApiError> {
    let pages = backups.keys(session.actor(), of.version()?, None).await?;
    parts::answer(KeyList::of_all(pages)).await
}

/// `GET /_matrix/client/v3/room_keys/keys/{roomId}` (client-server API, "Server-side key backups"). For users.
pub async fn of_room(
    State(backups): State<KeyBackups>,
    session: Session,
    Path(room): Path<OwnedRoomId>,
    Query(of): Query<OfBackup>,
) -> Result<Response, ApiError> {
    let pages = backups.keys(session.actor(), of.version()?, Some(&room)).await?;
    parts::answer(KeyList::of_room(pages, room)).await
}

/// `GET /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}` (client-server API, "Server-side key backups"). For users.
pub async fn of_session(
    State(backups): State<KeyBackups>,
    session: Session,
    Path((room, id)): Path<(OwnedRoomId, String)>,
    Query(of): Query<OfBackup>,
) -> Result<JsonText, ApiError> {
    let key = backups.key(session.actor(), of.version()?, &room, &id).await?;
    let mut out = TextWriter::new();
    write_key(&mut out, &key);
    Ok(JsonText(out.finish()))
}
