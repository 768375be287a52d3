//! Deleting keys: one, those of a room, all.

use axum::extract::State;
use plop_e2ee::backup::{KeyBackups, KeyScope};
use ruma::OwnedRoomId;

use super::version::{Changed, OfBackup};
use crate::error::ApiError;
use crate::extract::{Path, Query, Session};

/// `DELETE /_matrix/client/v3/room_keys/keys` (client-server API, "Server-side key backups"). For users.
pub async fn all(
    State(backups): State<KeyBackups>,
    session: Session,
    Query(of): Query<OfBackup>,
) -> Result<Changed, ApiError> {
    Ok(Changed(backups.delete_keys(session.actor(), of.version()?, KeyScope::All).await?))
}

/// `DELETE /_matrix/client/v3/room_keys/keys/{roomId}` (client-server API, "Server-side key backups"). For users.
pub async fn of_room(
    State(backups): State<KeyBackups>,
    session: Session,
    Path(room): Path<OwnedRoomId>,
    Query(of): Query<OfBackup>,
) -> Result<Changed, ApiError> {
    Ok(Changed(backups.delete_keys(session.actor(), of.version()?, KeyScope::Room(&room)).await?))
}

/// `DELETE /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}` (client-server API, "Server-side key backups"). For users.
pub async fn of_session(
    State(backups): State<KeyBackups>,
    session: Session,
    Path((room, id)): Path<(OwnedRoomId, String)>,
    Query(of): Query<OfBackup>,
) -> Result<Changed, ApiError> {
    let scope = KeyScope::Session(&room, &id);
    Ok(Changed(backups.delete_keys(session.actor(), of.version()?, scope).await?))
}
