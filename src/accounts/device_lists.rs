//! The device lists of users, which others keep up with (client-server API, "Tracking the device list for a user").
//!
//! Owns: which devices are on a list, and that a list has changed. Does not own: the keys that others get (e2ee), whom a change concerns (sync).
//!
//! Invariants: a list changes in the batch of what changed about it, so no crash loses a change. A user has one row in the order of changes: whoever
//! moves it holds the user's guard ([`Accounts::lock_user`]) until the batch has ended.

use plop_db::{Batch, Guard, Position, ReadError, Snapshot};
use ruma::{OwnedDeviceId, OwnedUserId, UserId};

use crate::accounts::Accounts;
use crate::schema::{DeviceListChanges, DeviceLists, ListedDevices};

impl Accounts {
    /// The guard of a user: what is then read of their devices stays until the guard is let go of.
    pub async fn lock_user(&self, user: &UserId) -> Guard {
        self.parts().user_guards.lock(user.as_str()).await
    }
}

/// Moves a user's list to the position of the batch. Under the user's guard.
pub async fn change_device_list(
    snapshot: &Snapshot,
    batch: &mut Batch,
    user: &OwnedUserId,
) -> Result<(), ReadError> {
    if let Some(before) = snapshot.get::<DeviceLists>(user).await? {
        batch.delete::<DeviceListChanges>(&(before, user.clone()));
    }
    let now = Position::pending(0);
    batch.put::<DeviceLists>(user, &now);
    batch.append::<DeviceListChanges>(user, &(now, user.clone()), &());
    Ok(())
}

/// Moves the list of an account that ends, if others may have been told of keys of its user: these are told to nobody from then on. Under the user's guard.
pub(crate) async fn change_list_of_ended(
    snapshot: &Snapshot,
    batch: &mut Batch,
    user: &OwnedUserId,
) -> Result<(), ReadError> {
    match snapshot.get::<DeviceLists>(user).await? {
        Some(_) => change_device_list(snapshot, batch, user).await,
        None => Ok(()),
    }
}

/// Puts a device on its user's list, in the batch that publishes its keys. `since`: when the device was made.
pub fn list_device(batch: &mut Batch, user: &OwnedUserId, device: &OwnedDeviceId, since: Position) {
    batch.put::<ListedDevices>(&(user.clone(), device.clone()), &since);
}

/// Takes devices off the list. Says whether one was on it.
pub(crate) async fn unlist_devices(
    snapshot: &Snapshot,
    batch: &mut Batch,
    user: &OwnedUserId,
    devices: impl Iterator<Item = &OwnedDeviceId>,
) -> Result<bool, ReadError> {
    let keys: Vec<_> = devices.map(|device| (user.clone(), device.clone())).collect();
    let listed = snapshot.get_many::<ListedDevices>(&keys).await?;
    let mut any = false;
    for (key, _) in keys.iter().zip(listed).filter(|(_, listed)| listed.is_some()) {
        batch.delete::<ListedDevices>(key);
        any = true;
    }
    Ok(any)
}
