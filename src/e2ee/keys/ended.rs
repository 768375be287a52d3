//! What is kept for a device or an account that is gone goes.
//!
//! Owns: which rows these are. Does not own: when ([`ToDevice::sweep`](crate::to_device::ToDevice::sweep), which has the list of ended devices).

use plop_accounts::schema::Users;
use plop_db::{Batch, KeyRange, ReadError, Snapshot};
use ruma::OwnedUserId;

use crate::schema::{
    ClaimedKeys, CrossSigningKeys, DeviceKeys, FallbackKeys, Inbox, KeyCounts, KeyUsage, MasterKeySignatures,
    OneTimeKeyOrder, OneTimeKeys, SignatureChanges, UserSignatures,
};

/// Deletes the keys of a device that is gone, and those of its user with the account.
pub async fn forget_device(snapshot: &Snapshot, batch: &mut Batch, inbox: &Inbox) -> Result<(), ReadError> {
    batch.delete::<DeviceKeys>(inbox);
    batch.delete_range(KeyRange::<OneTimeKeys>::prefix(inbox));
    batch.delete_range(KeyRange::<OneTimeKeyOrder>::prefix(inbox));
    batch.delete_range(KeyRange::<ClaimedKeys>::prefix(inbox));
    batch.delete_range(KeyRange::<FallbackKeys>::prefix(inbox));
    batch.delete::<KeyCounts>(inbox);
    batch.delete::<MasterKeySignatures>(inbox);
    let user = snapshot.get::<Users>(&inbox.0).await?;
    if user.is_some_and(|user| user.deactivated.is_some()) {
        forget_user(batch, &inbox.0);
    }
    Ok(())
}

fn forget_user(batch: &mut Batch, user: &OwnedUserId) {
    for usage in [KeyUsage::Master, KeyUsage::SelfSigning, KeyUsage::UserSigning] {
        batch.delete::<CrossSigningKeys>(&(user.clone(), usage));
    }
    batch.delete_range(KeyRange::<UserSignatures>::prefix(user));
    batch.delete_range(KeyRange::<SignatureChanges>::prefix(user));
}
