//! The backups of accounts that have ended and, so that one look at the list does for both, their cross-signing keys.

use std::sync::Arc;

use plop_accounts::StoreError;
use plop_accounts::ended_accounts::{ended_accounts, strike_off_ended};
use plop_db::{Batch, KeyRange};

use super::KeyBackups;
use super::schema::{BackedUpKeys, KeyBackupRooms, KeyBackupTotals, KeyBackupVersions, LastKeyBackups};
use crate::keys::forget_user;

/// Accounts looked at at once.
const PAGE: usize = 100;

impl KeyBackups {
    /// Deletes the backups and the cross-signing keys of accounts that have ended. To be run now and then; its cost follows their number.
    pub async fn sweep(&self) -> Result<(), StoreError> {
        let db = &self.0.db;
        loop {
            let ended = ended_accounts(&db.snapshot(), PAGE).await?;
            if ended.is_empty() {
                return Ok(());
            }
            for user in ended {
                // Who writes now has seen the account before its end, and is done when this turn comes.
                let guard = self.0.guards.lock(user.as_str()).await;
                let mut batch = Batch::relaxed();
                batch.delete_range::<KeyBackupVersions>(KeyRange::prefix(&user));
                batch.delete_range::<KeyBackupTotals>(KeyRange::prefix(&user));
                batch.delete_range::<KeyBackupRooms>(KeyRange::prefix(&user));
                batch.delete_range::<BackedUpKeys>(KeyRange::prefix(&user));
                batch.delete::<LastKeyBackups>(&user);
                forget_user(&mut batch, &user);
                strike_off_ended(&mut batch, &user);
                db.commit_under(Arc::clone(&guard), batch).await?;
            }
        }
    }
}
