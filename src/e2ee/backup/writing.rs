//! One user's turn to write.
//!
//! Owns: what every write begins and ends with: the guard, the account, the list of backups, what is in them. Does not own: what is written.
//!
//! Invariants: a write expects the totals of the backup that it changes, which every other write changes too. The account is looked at under the
//! guard, so that nothing is written behind the [sweep](super::sweep) of an account that has ended.

use plop_accounts::schema::Users;
use plop_db::{Batch, Guard, KeyRange, Pages, Snapshot};
use ruma::{OwnedUserId, UserId};

use super::error::BackupError;
use super::reading::version_number;
use super::schema::{KeyBackupTotals, KeyBackupTotalsRow};
use super::{KeyBackups, MAX_BACKUPS, MAX_BYTES, MAX_KEYS};

/// A write that is being put together. Dropped, it changes nothing.
pub(super) struct Writing<'a> {
    backups: &'a KeyBackups,
    guard: Guard,
    pub user: OwnedUserId,
    pub snapshot: Snapshot,
    pub batch: Batch,
    /// Every backup of the user, the newest last.
    pub list: Vec<(u64, KeyBackupTotalsRow)>,
}

impl KeyBackups {
    pub(super) async fn begin(&self, user: &UserId) -> Result<Writing<'_>, BackupError> {
        let guard = self.0.guards.lock(user.as_str()).await;
        let user = user.to_owned();
        let snapshot = self.0.db.snapshot();
        let account = snapshot.get::<Users>(&user).await?;
        if account.is_none_or(|account| account.deactivated.is_some()) {
            return Err(BackupError::NoAccount);
        }
        let mut list = Vec::new();
        let mut pages = Pages::new(KeyRange::<KeyBackupTotals>::prefix(&user), MAX_BACKUPS + 1);
        while let Some(rows) = pages.next(&snapshot).await? {
            list.extend(rows.into_iter().map(|((_, version), totals)| (version, totals)));
        }
        Ok(Writing { backups: self, guard, user, snapshot, batch: Batch::durable(), list })
    }
}

impl Writing<'_> {
    /// The backup of this version.
    pub fn backup(&self, version: &str) -> Result<(u64, KeyBackupTotalsRow), BackupError> {
        let version = version_number(version).ok_or(BackupError::NotFound)?;
        let found = self.list.iter().find(|(number, _)| *number == version);
        found.cloned().ok_or(BackupError::NotFound)
    }

    /// The same, if keys are written to it.
    pub fn current_backup(&self, version: &str) -> Result<(u64, KeyBackupTotalsRow), BackupError> {
        let backup = self.backup(version)?;
        match self.list.last() {
            Some((current, _)) if *current != backup.0 => Err(BackupError::NotCurrent { current: *current }),
            _ => Ok(backup),
        }
    }

    /// Has the totals of a backup changed. What is in all backups stays within the limits, or at least becomes no more.
    pub fn change(
        &mut self,
        version: u64,
        before: &KeyBackupTotalsRow,
        after: &KeyBackupTotalsRow,
    ) -> Result<(), BackupError> {
        let others = self.list.iter().filter(|(number, _)| *number != version);
        let (keys, bytes) =
            others.fold((0, 0), |(keys, bytes), (_, totals)| (keys + totals.keys, bytes + totals.bytes));
        let too_many = after.keys > before.keys && keys + after.keys > MAX_KEYS;
        if too_many || (after.bytes > before.bytes && bytes + after.bytes > MAX_BYTES) {
            return Err(BackupError::Full);
        }
        let key = (self.user.clone(), version);
        self.batch.expect::<KeyBackupTotals>(&key, Some(before));
        self.batch.put::<KeyBackupTotals>(&key, after);
        Ok(())
    }

    /// Writes what was put together.
    pub async fn commit(self) -> Result<(), BackupError> {
        let Self { backups, guard, batch, snapshot, .. } = self;
        drop(snapshot);
        backups.0.db.commit_under(guard, batch).await?;
        Ok(())
    }
}
