//! Storing keys: one, those of a room, those of many rooms.

use std::collections::BTreeMap;

use axum::extract::State;
use plop_e2ee::backup::{KeyBackups, NewKey};
use ruma::{OwnedRoomId, UInt};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::version::{Changed, OfBackup};
use crate::budgets::{Budgets, Cost};
use crate::error::ApiError;
use crate::extract::{Json, Path, Query, Session};

/// So many keys cost as much as a request.
const KEYS_OF_ONE_WRITE: usize = 100;

/// A key (client-server API, `KeyBackupData`).
#[derive(Deserialize)]
pub struct Key {
    first_message_index: UInt,
    forwarded_count: UInt,
    is_verified: bool,
    session_data: Map<String, Value>,
}

/// Keys of a room by session.
#[derive(Deserialize)]
pub struct RoomKeys {
    sessions: BTreeMap<String, Key>,
}

/// Keys by room.
#[derive(Deserialize)]
pub struct AllKeys {
    rooms: BTreeMap<OwnedRoomId, RoomKeys>,
}

impl Key {
    fn of(self, room: &OwnedRoomId, session: String) -> NewKey {
        NewKey {
            room: room.clone(),
            session,
            first_message_index: self.first_message_index.into(),
            forwarded_count: self.forwarded_count.into(),
            is_verified: self.is_verified,
            session_data: self.session_data,
        }
    }
}

/// `PUT /_matrix/client/v3/room_keys/keys` (client-server API, "Server-side key backups"). For users.
pub async fn all(
    State(backups): State<KeyBackups>,
    State(budgets): State<Budgets>,
    session: Session,
    Query(of): Query<OfBackup>,
    Json(AllKeys { rooms }): Json<AllKeys>,
) -> Result<Changed, ApiError> {
    let mut keys = Vec::new();
    for (room, RoomKeys { sessions }) in rooms {
        keys.extend(sessions.into_iter().map(|(session, key)| key.of(&room, session)));
    }
    store(&backups, &budgets, &session, &of, keys).await
}

/// `PUT /_matrix/client/v3/room_keys/keys/{roomId}` (client-server API, "Server-side key backups"). For users.
pub async fn of_room(
    State(backups): State<KeyBackups>,
    State(budgets): State<Budgets>,
    session: Session,
    Path(room): Path<OwnedRoomId>,
    Query(of): Query<OfBackup>,
    Json(RoomKeys { sessions }): Json<RoomKeys>,
) -> Result<Changed, ApiError> {
    let keys = sessions.into_iter().map(|(session, key)| key.of(&room, session)).collect();
    store(&backups, &budgets, &session, &of, keys).await
}

/// `PUT /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}` (client-server API, "Server-side key backups"). For users.
pub async fn of_session(
    State(backups): State<KeyBackups>,
    State(budgets): State<Budgets>,
    session: Session,
    Path((room, id)): Path<(OwnedRoomId, String)>,
    Query(of): Query<OfBackup>,
    Json(key): Json<Key>,
) -> Result<Changed, ApiError> {
    store(&backups, &budgets, &session, &of, vec![key.of(&room, id)]).await
}

async fn store(
    backups: &KeyBackups,
    budgets: &Budgets,
    session: &Session,
    of: &OfBackup,
    keys: Vec<NewKey>,
) -> Result<Changed, ApiError> {
    let version = of.version()?;
    let besides = u32::try_from(keys.len() / KEYS_OF_ONE_WRITE).unwrap_or(u32::MAX);
    budgets.charge(session.user()?, Cost::Write(besides));
    Ok(Changed(backups.store_keys(session.actor(), version, keys).await?))
}
