//! The backups of accounts that have ended.

use std::sync::Arc;

use plop_accounts::StoreError;
use plop_db::{Batch, KeyRange, unread};

use super::KeyBackups;
use super::schema::{
    BackedUpKeys, BackupsDeleted, KeyBackupRooms, KeyBackupTotals, KeyBackupVersions, LastKeyBackups,
};

/// Accounts looked at at once.
const PAGE: usize = 100;

impl KeyBackups {
    /// Deletes the backups of accounts that have ended. To be run now and then; its cost follows their number.
    pub async fn sweep(&self) -> Result<(), StoreError> {
        let db = &self.0.db;
        loop {
            let ended = unread::<BackupsDeleted>(&db.snapshot(), PAGE).await?.rows;
            if ended.is_empty() {
                return Ok(());
            }
            for (end, ()) in ended {
                let user = &end.1;
                // Who writes now has seen the account before its end, and is done when this turn comes.
                let guard = self.0.guards.lock(user.as_str()).await;
                let mut batch = Batch::relaxed();
                batch.delete_range::<KeyBackupVersions>(KeyRange::prefix(user));
                batch.delete_range::<KeyBackupTotals>(KeyRange::prefix(user));
                batch.delete_range::<KeyBackupRooms>(KeyRange::prefix(user));
                batch.delete_range::<BackedUpKeys>(KeyRange::prefix(user));
                batch.delete::<LastKeyBackups>(user);
                batch.read_to::<BackupsDeleted>(&end);
                db.commit_under(Arc::clone(&guard), batch).await?;
            }
        }
    }
}
