//! The sweep: what nobody will read, and what is too much.
//!
//! Owns: deleting the inboxes of devices that are gone, the oldest messages of inboxes that are too full, old transaction ids.

use plop_accounts::StoreError;
use plop_accounts::schema::Devices;
use plop_db::{Batch, Direction, KeyRange, Pages};
use plop_rooms::schema::TRANSACTION_LIFETIME;

use super::rows::{counted, delete, messages};
use super::{KEPT_INBOX_BYTES, ToDevice};
use crate::schema::{Inbox, ToDeviceBytes, ToDeviceMessages, ToDeviceTransactions};

/// Inboxes or transactions looked at in one page.
const PAGE: usize = 1_000;
/// Messages looked at in one page.
const MESSAGES: usize = 200;

impl ToDevice {
    /// Deletes what nobody will read. To be run now and then; it takes one page after the other, each from a snapshot of its own, and may be
    /// dropped in between.
    pub async fn sweep(&self) -> Result<(), StoreError> {
        self.sweep_inboxes().await?;
        self.forget_old_transactions().await
    }

    async fn sweep_inboxes(&self) -> Result<(), StoreError> {
        let db = &self.0.db;
        let mut inboxes = Pages::new(KeyRange::<ToDeviceBytes>::all(), PAGE);
        loop {
            let snapshot = db.snapshot();
            let Some(rows) = inboxes.next(&snapshot).await? else { return Ok(()) };
            let owners: Vec<_> =
                rows.iter().map(|((user, device, _), _)| (user.clone(), device.clone())).collect();
            let devices = snapshot.get_many::<Devices>(&owners).await?;
            drop(snapshot);
            let mut gone = Batch::relaxed();
            for ((inbox, bytes), device) in rows.into_iter().zip(devices) {
                // An inbox is younger than its device, so the snapshot has the device if it is still there.
                if device.is_none_or(|device| device.since != inbox.2) {
                    gone.delete_range::<ToDeviceMessages>(messages(&inbox));
                    gone.delete::<ToDeviceBytes>(&inbox);
                } else if bytes.0 > KEPT_INBOX_BYTES {
                    self.drop_oldest(&inbox).await?;
                }
            }
            if !gone.is_empty() {
                db.commit(gone).await?;
            }
        }
    }

    async fn drop_oldest(&self, inbox: &Inbox) -> Result<(), StoreError> {
        let db = &self.0.db;
        let guard = self.0.deleting.lock(inbox.0.as_str()).await;
        loop {
            let snapshot = db.snapshot();
            let bytes = snapshot.get::<ToDeviceBytes>(inbox).await?.unwrap_or_default().0;
            let page = snapshot.scan(messages(inbox), Direction::Forward, MESSAGES).await?;
            drop(snapshot);
            let mut excess = bytes - KEPT_INBOX_BYTES;
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
        let mut transactions = Pages::new(KeyRange::<ToDeviceTransactions>::all(), PAGE);
        while let Some(rows) = transactions.next(&db.snapshot()).await? {
            let mut old = Batch::relaxed();
            for (key, _) in rows.iter().filter(|(_, row)| now.since(row.at) > TRANSACTION_LIFETIME) {
                old.delete::<ToDeviceTransactions>(key);
            }
            if !old.is_empty() {
                db.commit(old).await?;
            }
        }
        Ok(())
    }
}
