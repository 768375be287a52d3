//! Keys in a backup: stored, where they are better than what is there, and deleted (client-server API, `/room_keys/keys`).
//!
//! Invariants: the keys of one request are stored all or none; a request that changes nothing leaves the `etag`, and writes nothing.

use std::collections::BTreeMap;

use plop_base::Actor;
use plop_db::KeyRange;
use plop_db::codec::Tail;
use ruma::{OwnedRoomId, RoomId};
use serde_json::{Map, Value};

use super::better::is_better;
use super::error::BackupError;
use super::reading::owner;
use super::schema::{BackedUpKeyRow, BackedUpKeys, KeyBackupRoomRow, KeyBackupRooms, KeyBackupTotalsRow};
use super::writing::Writing;
use super::{KeyBackups, MAX_KEYS_AT_ONCE, MAX_NAME_BYTES, MAX_SESSION_DATA_BYTES};

/// Keys that are compared with what is there at once.
const AT_ONCE: usize = 200;

/// A key that a client stores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    pub room: OwnedRoomId,
    pub session: String,
    pub first_message_index: u64,
    pub forwarded_count: u64,
    pub is_verified: bool,
    pub session_data: Map<String, Value>,
}

/// Which keys of a backup.
#[derive(Clone, Copy, Debug)]
pub enum KeyScope<'a> {
    All,
    Room(&'a RoomId),
    Session(&'a RoomId, &'a str),
}

/// What becomes of a room's part of a backup.
#[derive(Default)]
struct Growth {
    keys: u64,
    bytes: u64,
    /// Of keys that are replaced.
    gone: u64,
}

type Key = (ruma::OwnedUserId, u64, OwnedRoomId, String);

impl KeyBackups {
    /// Stores keys in the current backup. Returns what is in it then.
    pub async fn store_keys(
        &self,
        actor: &Actor,
        version: &str,
        keys: Vec<NewKey>,
    ) -> Result<KeyBackupTotalsRow, BackupError> {
        let user = owner(actor)?;
        if keys.len() > MAX_KEYS_AT_ONCE {
            return Err(BackupError::TooManyAtOnce);
        }
        let rows = keys.into_iter().map(checked).collect::<Result<BTreeMap<_, _>, _>>()?;
        let mut writing = self.begin(user).await?;
        let (version, totals) = writing.current_backup(version)?;
        let rows: Vec<_> = rows
            .into_iter()
            .map(|((room, session), row)| ((writing.user.clone(), version, room, session), row))
            .collect();
        let mut rooms: BTreeMap<OwnedRoomId, Growth> = BTreeMap::new();
        for rows in rows.chunks(AT_ONCE) {
            put_better(&mut writing, rows, &mut rooms).await?;
        }
        if rooms.is_empty() {
            return Ok(totals);
        }
        let after = grow(&mut writing, version, &totals, rooms).await?;
        writing.change(version, &totals, &after)?;
        writing.commit().await?;
        Ok(after)
    }

    /// Deletes keys of a backup, of an older one too. Returns what is in it then. Keys that are not there are no error.
    pub async fn delete_keys(
        &self,
        actor: &Actor,
        version: &str,
        scope: KeyScope<'_>,
    ) -> Result<KeyBackupTotalsRow, BackupError> {
        let mut writing = self.begin(owner(actor)?).await?;
        let (version, totals) = writing.backup(version)?;
        let gone = match scope {
            KeyScope::All => {
                let prefix = (writing.user.clone(), version);
                writing.batch.delete_range::<KeyBackupRooms>(KeyRange::prefix(&prefix));
                writing.batch.delete_range::<BackedUpKeys>(KeyRange::prefix(&prefix));
                (totals.keys, totals.bytes)
            }
            KeyScope::Room(room) => delete_room(&mut writing, version, room).await?,
            KeyScope::Session(room, session) => delete_session(&mut writing, version, room, session).await?,
        };
        if gone.0 == 0 {
            return Ok(totals);
        }
        let after = KeyBackupTotalsRow {
            changes: totals.changes + 1,
            keys: totals.keys.saturating_sub(gone.0),
            bytes: totals.bytes.saturating_sub(gone.1),
        };
        writing.change(version, &totals, &after)?;
        writing.commit().await?;
        Ok(after)
    }
}

fn checked(key: NewKey) -> Result<((OwnedRoomId, String), BackedUpKeyRow), BackupError> {
    let NewKey { room, session, first_message_index, forwarded_count, is_verified, session_data } = key;
    if !(1..=MAX_NAME_BYTES).contains(&session.len()) {
        return Err(BackupError::InvalidSession);
    }
    let text = Value::Object(session_data).to_string();
    if text.len() > MAX_SESSION_DATA_BYTES {
        return Err(BackupError::SessionDataTooLarge);
    }
    let row = BackedUpKeyRow { first_message_index, forwarded_count, is_verified, session_data: Tail(text) };
    Ok(((room, session), row))
}

/// What a key counts for.
fn size((_, _, room, session): &Key, row: &BackedUpKeyRow) -> u64 {
    (room.as_str().len() + session.len() + row.session_data.0.len()) as u64
}

/// Writes those that are better than what is there, or new.
async fn put_better(
    writing: &mut Writing<'_>,
    rows: &[(Key, BackedUpKeyRow)],
    rooms: &mut BTreeMap<OwnedRoomId, Growth>,
) -> Result<(), BackupError> {
    let keys: Vec<_> = rows.iter().map(|(key, _)| key.clone()).collect();
    let there = writing.snapshot.get_many::<BackedUpKeys>(&keys).await?;
    for ((key, row), there) in rows.iter().zip(there) {
        if there.as_ref().is_some_and(|there| !is_better(row, there)) {
            continue;
        }
        writing.batch.put::<BackedUpKeys>(key, row);
        let room = rooms.entry(key.2.clone()).or_default();
        room.bytes += size(key, row);
        match there {
            Some(there) => room.gone += size(key, &there),
            None => room.keys += 1,
        }
    }
    Ok(())
}

/// Counts what rooms have got; returns what is in the backup then.
async fn grow(
    writing: &mut Writing<'_>,
    version: u64,
    totals: &KeyBackupTotalsRow,
    rooms: BTreeMap<OwnedRoomId, Growth>,
) -> Result<KeyBackupTotalsRow, BackupError> {
    let keys: Vec<_> = rooms.keys().map(|room| (writing.user.clone(), version, room.clone())).collect();
    let there = writing.snapshot.get_many::<KeyBackupRooms>(&keys).await?;
    let mut after = KeyBackupTotalsRow { changes: totals.changes + 1, ..totals.clone() };
    for ((key, growth), there) in keys.iter().zip(rooms.values()).zip(there) {
        let there = there.unwrap_or(KeyBackupRoomRow { keys: 0, bytes: 0 });
        let row = KeyBackupRoomRow {
            keys: there.keys + growth.keys,
            bytes: (there.bytes + growth.bytes).saturating_sub(growth.gone),
        };
        writing.batch.put::<KeyBackupRooms>(key, &row);
        after.keys += growth.keys;
        after.bytes = (after.bytes + growth.bytes).saturating_sub(growth.gone);
    }
    Ok(after)
}

/// Deletes the keys of a room: how many these are, and their bytes.
async fn delete_room(
    writing: &mut Writing<'_>,
    version: u64,
    room: &RoomId,
) -> Result<(u64, u64), BackupError> {
    let key = (writing.user.clone(), version, room.to_owned());
    let Some(row) = writing.snapshot.get::<KeyBackupRooms>(&key).await? else { return Ok((0, 0)) };
    writing.batch.delete::<KeyBackupRooms>(&key);
    writing.batch.delete_range::<BackedUpKeys>(KeyRange::prefix(&key));
    Ok((row.keys, row.bytes))
}

/// Deletes one key: how many these are, and its bytes.
async fn delete_session(
    writing: &mut Writing<'_>,
    version: u64,
    room: &RoomId,
    session: &str,
) -> Result<(u64, u64), BackupError> {
    let of_room = (writing.user.clone(), version, room.to_owned());
    let key = (of_room.0.clone(), version, of_room.2.clone(), session.to_owned());
    let Some(row) = writing.snapshot.get::<BackedUpKeys>(&key).await? else { return Ok((0, 0)) };
    let bytes = size(&key, &row);
    writing.batch.delete::<BackedUpKeys>(&key);
    match writing.snapshot.get::<KeyBackupRooms>(&of_room).await? {
        Some(KeyBackupRoomRow { keys, bytes: of_all }) if keys > 1 => {
            let left = KeyBackupRoomRow { keys: keys - 1, bytes: of_all.saturating_sub(bytes) };
            writing.batch.put::<KeyBackupRooms>(&of_room, &left);
        }
        _ => writing.batch.delete::<KeyBackupRooms>(&of_room),
    }
    Ok((1, bytes))
}
