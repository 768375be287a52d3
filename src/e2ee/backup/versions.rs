//! Backups themselves: made, signed anew, deleted (client-server API, `/room_keys/version`).

use plop_base::Actor;
use plop_db::KeyRange;
use plop_db::codec::Tail;
use serde_json::{Map, Value};

use super::error::BackupError;
use super::reading::{owner, version_number};
use super::schema::{
    BackedUpKeys, KeyBackupRooms, KeyBackupRow, KeyBackupTotals, KeyBackupTotalsRow, KeyBackupVersions,
    LastKeyBackups,
};
use super::{KeyBackups, MAX_AUTH_DATA_BYTES, MAX_BACKUPS, MAX_NAME_BYTES};

impl KeyBackups {
    /// Makes a backup, which is the current one from now on, and returns its version.
    pub async fn create(
        &self,
        actor: &Actor,
        algorithm: &str,
        auth_data: &Map<String, Value>,
    ) -> Result<u64, BackupError> {
        if !(1..=MAX_NAME_BYTES).contains(&algorithm.len()) {
            return Err(BackupError::InvalidAlgorithm);
        }
        let row = KeyBackupRow { algorithm: algorithm.to_owned(), auth_data: auth_text(auth_data)? };
        let mut writing = self.begin(owner(actor)?).await?;
        if writing.list.len() >= MAX_BACKUPS {
            return Err(BackupError::TooManyBackups);
        }
        let last = writing.snapshot.get::<LastKeyBackups>(&writing.user).await?;
        let version = last.unwrap_or(0) + 1;
        let key = (writing.user.clone(), version);
        let batch = &mut writing.batch;
        batch.expect::<LastKeyBackups>(&key.0, last.as_ref());
        batch.put::<LastKeyBackups>(&key.0, &version);
        batch.put::<KeyBackupVersions>(&key, &row);
        batch.put::<KeyBackupTotals>(&key, &KeyBackupTotalsRow { changes: 0, keys: 0, bytes: 0 });
        writing.commit().await?;
        Ok(version)
    }

    /// Replaces the `auth_data` of a backup. Its algorithm stays.
    pub async fn update(
        &self,
        actor: &Actor,
        version: &str,
        algorithm: &str,
        auth_data: &Map<String, Value>,
    ) -> Result<(), BackupError> {
        let auth_data = auth_text(auth_data)?;
        let mut writing = self.begin(owner(actor)?).await?;
        let (version, _) = writing.backup(version)?;
        let key = (writing.user.clone(), version);
        let row = writing.snapshot.get::<KeyBackupVersions>(&key).await?.ok_or(BackupError::NotFound)?;
        if row.algorithm != algorithm {
            return Err(BackupError::OtherAlgorithm);
        }
        writing.batch.expect::<KeyBackupVersions>(&key, Some(&row));
        writing.batch.put::<KeyBackupVersions>(&key, &KeyBackupRow { auth_data, ..row });
        writing.commit().await
    }

    /// Deletes a backup with all its keys. One that was deleted before is no error, one that never was is.
    pub async fn delete(&self, actor: &Actor, version: &str) -> Result<(), BackupError> {
        let number = version_number(version).ok_or(BackupError::NotFound)?;
        let mut writing = self.begin(owner(actor)?).await?;
        let key = (writing.user.clone(), number);
        let totals = match writing.backup(version) {
            Ok((_, totals)) => totals,
            Err(_) => {
                let last = writing.snapshot.get::<LastKeyBackups>(&key.0).await?;
                let was_there = last.is_some_and(|last| number <= last);
                return if was_there { Ok(()) } else { Err(BackupError::NotFound) };
            }
        };
        let batch = &mut writing.batch;
        batch.expect::<KeyBackupTotals>(&key, Some(&totals));
        batch.delete::<KeyBackupTotals>(&key);
        batch.delete::<KeyBackupVersions>(&key);
        batch.delete_range::<KeyBackupRooms>(KeyRange::prefix(&key));
        batch.delete_range::<BackedUpKeys>(KeyRange::prefix(&key));
        writing.commit().await
    }
}

fn auth_text(auth_data: &Map<String, Value>) -> Result<Tail<String>, BackupError> {
    let text = serde_json::to_string(auth_data).map_err(|_| BackupError::AuthDataTooLarge)?;
    if text.len() > MAX_AUTH_DATA_BYTES { Err(BackupError::AuthDataTooLarge) } else { Ok(Tail(text)) }
}
