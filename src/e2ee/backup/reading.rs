//! What is in backups.
//!
//! Owns: what clients read. Does not own: the form of it.

use plop_base::Actor;
use plop_db::{Direction, KeyRange, Pages, ReadError, Snapshot};
use ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId};

use super::KeyBackups;
use super::error::BackupError;
use super::schema::{
    BackedUpKeyRow, BackedUpKeys, KeyBackupRow, KeyBackupTotals, KeyBackupTotalsRow, KeyBackupVersions,
};

/// Keys read at once.
const PAGE: usize = 500;

/// A backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    pub version: u64,
    pub row: KeyBackupRow,
    pub totals: KeyBackupTotalsRow,
}

/// A key of a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKey {
    pub room: OwnedRoomId,
    pub session: String,
    pub row: BackedUpKeyRow,
}

/// The keys of a backup, page by page, by rooms.
pub struct BackupPages {
    backups: KeyBackups,
    key: (OwnedUserId, u64),
    pages: Pages<BackedUpKeys>,
}

/// Whose backups the actor reads and writes.
pub(super) fn owner(actor: &Actor) -> Result<&UserId, BackupError> {
    actor.user_id().ok_or(BackupError::NoUser)
}

/// What clients know a backup by, read; `None` for what no backup has.
pub(super) fn version_number(version: &str) -> Option<u64> {
    // As we write it, and in no other way.
    let number = version.parse().ok()?;
    (version == u64::to_string(&number)).then_some(number)
}

impl KeyBackups {
    /// The backup that keys are written to.
    pub async fn current(&self, actor: &Actor) -> Result<Backup, BackupError> {
        let user = owner(actor)?.to_owned();
        let snapshot = self.0.db.snapshot();
        let all = KeyRange::<KeyBackupVersions>::prefix(&user);
        let newest = snapshot.scan(all, Direction::Backward, 1).await?.rows.pop();
        let (key, row) = newest.ok_or(BackupError::NotFound)?;
        let totals = totals(&snapshot, &key).await?.ok_or(BackupError::NotFound)?;
        Ok(Backup { version: key.1, row, totals })
    }

    /// The backup of this version.
    pub async fn backup(&self, actor: &Actor, version: &str) -> Result<Backup, BackupError> {
        let key = key(actor, version)?;
        let snapshot = self.0.db.snapshot();
        let row = snapshot.get::<KeyBackupVersions>(&key).await?.ok_or(BackupError::NotFound)?;
        let totals = totals(&snapshot, &key).await?.ok_or(BackupError::NotFound)?;
        Ok(Backup { version: key.1, row, totals })
    }

    /// One key of a backup.
    pub async fn key(
        &self,
        actor: &Actor,
        version: &str,
        room: &RoomId,
        session: &str,
    ) -> Result<BackedUpKeyRow, BackupError> {
        let key = key(actor, version)?;
        let snapshot = self.0.db.snapshot();
        totals(&snapshot, &key).await?.ok_or(BackupError::NotFound)?;
        let of_session = (key.0, key.1, room.to_owned(), session.to_owned());
        snapshot.get::<BackedUpKeys>(&of_session).await?.ok_or(BackupError::KeyNotFound)
    }

    /// All keys of a backup, or those of a room.
    pub async fn keys(
        &self,
        actor: &Actor,
        version: &str,
        room: Option<&RoomId>,
    ) -> Result<BackupPages, BackupError> {
        let key = key(actor, version)?;
        totals(&self.0.db.snapshot(), &key).await?.ok_or(BackupError::NotFound)?;
        let range = match room {
            Some(room) => KeyRange::prefix(&(key.0.clone(), key.1, room.to_owned())),
            None => KeyRange::prefix(&key),
        };
        Ok(BackupPages { backups: self.clone(), key, pages: Pages::new(range, PAGE) })
    }
}

impl BackupPages {
    /// The next keys; `None` behind the last ones. Each page is what is there by then. A backup that is deleted meanwhile is not found, so that nobody takes
    /// what came before for all of it.
    pub async fn next(&mut self) -> Result<Option<Vec<StoredKey>>, BackupError> {
        let snapshot = self.backups.0.db.snapshot();
        totals(&snapshot, &self.key).await?.ok_or(BackupError::NotFound)?;
        let rows = self.pages.next(&snapshot).await?;
        let stored = |((_, _, room, session), row)| StoredKey { room, session, row };
        Ok(rows.map(|rows| rows.into_iter().map(stored).collect()))
    }
}

fn key(actor: &Actor, version: &str) -> Result<(OwnedUserId, u64), BackupError> {
    let version = version_number(version).ok_or(BackupError::NotFound)?;
    Ok((owner(actor)?.to_owned(), version))
}

async fn totals(
    snapshot: &Snapshot,
    key: &(OwnedUserId, u64),
) -> Result<Option<KeyBackupTotalsRow>, ReadError> {
    snapshot.get::<KeyBackupTotals>(key).await
}
