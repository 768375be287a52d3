//! What is kept for a device or an account that is gone goes.
//!
//! Owns: which rows these are. Does not own: which devices and accounts are gone (accounts), when it is run.

use plop_accounts::StoreError;
use plop_accounts::ended_devices::ended_devices;
use plop_base::UnixMillis;
use plop_db::{Batch, KeyRange, unread};
use ruma::OwnedUserId;

use super::Keys;
use crate::schema::{
    ClaimedKeyOrder, ClaimedKeys, CrossSigningKeys, DeviceKeys, DeviceKeysDeleted, FallbackKeys, Inbox,
    KeyCounts, KeyUsage, MasterKeySignatures, OneTimeKeys, SignatureChanges, UserKeysDeleted, UserSignatures,
};

/// Devices or accounts looked at in one page: what goes of each is some operations.
const PAGE: usize = 250;

impl Keys {
    /// Deletes the keys of devices and accounts that have ended, and what they signed. To be run now and then; its cost follows their number.
    pub async fn sweep(&self, now: UnixMillis) -> Result<(), StoreError> {
        let devices = self.sweep_devices(now).await;
        self.sweep_users().await?;
        devices
    }

    async fn sweep_devices(&self, now: UnixMillis) -> Result<(), StoreError> {
        let db = &self.0.db;
        loop {
            let ended = ended_devices::<DeviceKeysDeleted>(&db.snapshot(), now, PAGE).await?;
            let Some(last) = ended.last() else { return Ok(()) };
            let mut batch = Batch::relaxed();
            batch.read_to::<DeviceKeysDeleted>(last);
            for (_, user, device, since) in ended {
                forget_device(&mut batch, &(user, device, since));
            }
            db.commit(batch).await?;
        }
    }

    async fn sweep_users(&self) -> Result<(), StoreError> {
        let db = &self.0.db;
        loop {
            let ended = unread::<UserKeysDeleted>(&db.snapshot(), PAGE).await?.rows;
            let Some((last, ())) = ended.last() else { return Ok(()) };
            let mut batch = Batch::relaxed();
            batch.read_to::<UserKeysDeleted>(last);
            for ((_, user), ()) in &ended {
                forget_user(&mut batch, user);
            }
            db.commit(batch).await?;
        }
    }
}

fn forget_device(batch: &mut Batch, inbox: &Inbox) {
    batch.delete::<DeviceKeys>(inbox);
    batch.delete_range(KeyRange::<OneTimeKeys>::prefix(inbox));
    batch.delete_range(KeyRange::<ClaimedKeys>::prefix(inbox));
    batch.delete_range(KeyRange::<ClaimedKeyOrder>::prefix(inbox));
    batch.delete_range(KeyRange::<FallbackKeys>::prefix(inbox));
    batch.delete::<KeyCounts>(inbox);
    batch.delete::<MasterKeySignatures>(inbox);
}

/// Who writes any of it has seen the account before its end, under the guard that the end takes, too: so nothing comes after it.
fn forget_user(batch: &mut Batch, user: &OwnedUserId) {
    for usage in [KeyUsage::Master, KeyUsage::SelfSigning, KeyUsage::UserSigning] {
        batch.delete::<CrossSigningKeys>(&(user.clone(), usage));
    }
    batch.delete_range(KeyRange::<UserSignatures>::prefix(user));
    batch.delete_range(KeyRange::<SignatureChanges>::prefix(user));
}
