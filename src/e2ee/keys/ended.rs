//! What is kept for a device or an account that is gone goes.
//!
//! Owns: which rows these are. Does not own: when ([`ToDevice::sweep`](crate::to_device::ToDevice::sweep), which has the list of ended devices, and
//! [`KeyBackups::sweep`](crate::backup::KeyBackups::sweep), which has that of ended accounts).

use plop_db::{Batch, KeyRange};
use ruma::OwnedUserId;

use crate::schema::{
    ClaimedKeys, CrossSigningKeys, DeviceKeys, FallbackKeys, Inbox, KeyCounts, KeyUsage, MasterKeySignatures,
    OneTimeKeyOrder, OneTimeKeys, SignatureChanges, UserSignatures,
};

/// Deletes the keys of a device that is gone.
pub fn forget_device(batch: &mut Batch, inbox: &Inbox) {
    batch.delete::<DeviceKeys>(inbox);
    batch.delete_range(KeyRange::<OneTimeKeys>::prefix(inbox));
    batch.delete_range(KeyRange::<OneTimeKeyOrder>::prefix(inbox));
    batch.delete_range(KeyRange::<ClaimedKeys>::prefix(inbox));
    batch.delete_range(KeyRange::<FallbackKeys>::prefix(inbox));
    batch.delete::<KeyCounts>(inbox);
    batch.delete::<MasterKeySignatures>(inbox);
}

/// Deletes the keys of a user whose account has ended, and what they signed. Who writes either has seen the account before its end, under the guard that the end takes, too: so nothing
/// comes after it.
pub fn forget_user(batch: &mut Batch, user: &OwnedUserId) {
    for usage in [KeyUsage::Master, KeyUsage::SelfSigning, KeyUsage::UserSigning] {
        batch.delete::<CrossSigningKeys>(&(user.clone(), usage));
    }
    batch.delete_range(KeyRange::<UserSignatures>::prefix(user));
    batch.delete_range(KeyRange::<SignatureChanges>::prefix(user));
}
