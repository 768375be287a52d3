//! The sweep: what nobody will read, and what is too much.
//!
//! Owns: deleting the inboxes of devices that are gone, the oldest messages of inboxes that are too full, alone or with the others of their user, old
//! transaction ids.
//!
//! Invariants: each of them is in a stream or on a list of what is to go, so the cost follows that, not the number of devices or requests.

use plop_accounts::StoreError;
use plop_accounts::ended_devices::ended_devices;
use plop_db::{Batch, CommitError, Direction, KeyRange, Pages};
use plop_rooms::schema::TRANSACTION_LIFETIME;

use super::ToDevice;
use super::room::too_full;
use super::rows::{counted, delete, messages};
use crate::schema::{
    FullInboxes, Inbox, InboxesDeleted, ToDeviceBytes, ToDeviceMessages, ToDeviceTransactionTimes,
    ToDeviceTransactions,
};

/// Ended devices looked at in one page: what goes of each is some operations.
const ENDED: usize = 250;
/// Inboxes or transactions looked at in one page.
const PAGE: usize = 1_000;
/// Messages looked at in one page.
const MESSAGES: usize = 200;

impl ToDevice {
    /// Deletes what nobody will read. To be run now and then; it takes one page after the other, each from a snapshot of its own, and may be
    /// dropped in between.
    pub async fn sweep(&self) -> Result<(), StoreError> {
        self.empty_ended_inboxes().await?;
        self.empty_full_inboxes().await?;
        self.forget_old_transactions().await
    }

    async fn empty_ended_inboxes(&self) -> Result<(), StoreError> {
        let (db, now) = (&self.0.db, self.0.clock.now());
        loop {
            let ended = ended_devices::<InboxesDeleted>(&db.snapshot(), now, ENDED).await?;
            let Some(last) = ended.last() else { return Ok(()) };
            let mut batch = Batch::relaxed();
            batch.read_to::<InboxesDeleted>(last);
            for (_, user, device, since) in ended {
                let inbox = (user, device, since);
                batch.delete_range::<ToDeviceMessages>(messages(&inbox));
                batch.delete::<ToDeviceBytes>(&inbox);
                batch.delete::<FullInboxes>(&inbox);
            }
            db.commit(batch).await?;
        }
    }

    async fn empty_full_inboxes(&self) -> Result<(), StoreError> {
        let db = &self.0.db;
        let mut full = Pages::new(KeyRange::<FullInboxes>::all(), PAGE);
        while let Some(rows) = full.next(&db.snapshot()).await? {
            let mut batch = Batch::relaxed();
            let inboxes: Vec<Inbox> = rows.into_iter().map(|(inbox, ())| inbox).collect();
            for of_user in inboxes.chunk_by(|one, next| one.0 == next.0) {
                let Some((user, ..)) = of_user.first() else { continue };
                for (inbox, kept) in too_full(&db.snapshot(), user, of_user).await? {
                    self.drop_oldest(&inbox, kept).await?;
                }
                // What came meanwhile and makes one full again is followed by more that says so.
                for inbox in of_user {
                    batch.delete::<FullInboxes>(inbox);
                }
            }
            if !batch.is_empty() {
                db.commit(batch).await?;
            }
        }
        Ok(())
    }

    async fn drop_oldest(&self, inbox: &Inbox, kept: i64) -> Result<(), StoreError> {
        let db = &self.0.db;
        let guard = self.0.deleting.lock(inbox.0.as_str()).await;
        loop {
            let snapshot = db.snapshot();
            let bytes = snapshot.get::<ToDeviceBytes>(inbox).await?.unwrap_or_default().0;
            let page = snapshot.scan(messages(inbox), Direction::Forward, MESSAGES).await?;
            drop(snapshot);
            let mut excess = bytes - kept;
            let too_old = page.rows.iter().take_while(|(_, row)| {
                let goes = excess > 0;
                excess -= counted(row);
                goes
            });
            let too_old = too_old.count();
            if too_old == 0 {
                return Ok(());
            }
            tracing::warn!(messages = too_old, "the oldest messages of a full inbox were dropped");
            delete(db, &guard, inbox, &page.rows[..too_old]).await?;
        }
    }

    async fn forget_old_transactions(&self) -> Result<(), StoreError> {
        let (db, now) = (&self.0.db, self.0.clock.now());
        loop {
            let old = KeyRange::<ToDeviceTransactionTimes>::all().before(&now.minus(TRANSACTION_LIFETIME));
            let page = db.snapshot().scan(old, Direction::Forward, PAGE).await?;
            let mut batch = Batch::relaxed();
            for (key, ()) in &page.rows {
                // A later device of that id may send with the same transaction id meanwhile.
                batch.expect::<ToDeviceTransactionTimes>(key, Some(&()));
                batch.delete::<ToDeviceTransactionTimes>(key);
                let (_, user, device, kind, id) = key.clone();
                batch.delete::<ToDeviceTransactions>(&(user, device, kind, id));
            }
            if batch.is_empty() {
                return Ok(());
            }
            match db.commit(batch).await {
                Ok(_) if page.more => {}
                // What is left has time until the next sweep.
                Ok(_) | Err(CommitError::Conflict { .. }) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
