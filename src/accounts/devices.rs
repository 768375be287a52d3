//! Devices of a user: list, rename, delete; logout is the deletion of one's own (client-server API, "Device Management", `POST /logout`).
//!
//! Invariants: those of [`crate::device_rows`]. What others keep for a device (keys, messages to it) is theirs to delete: a device that is
//! made later under the same id has another `since`.

use plop_base::{Actor, UnixMillis};
use plop_db::{Batch, KeyRange, ReadError, Snapshot};
use ruma::{DeviceId, OwnedDeviceId, OwnedUserId, UserId};

use crate::accounts::Accounts;
use crate::authority::{Forbidden, own_account};
use crate::device_lists::change_device_list;
pub use crate::device_rows::MAX_DEVICES;
use crate::device_rows::{Which, delete_rows, make_room, new_device};
use crate::error::StoreError;
use crate::rows::all_rows;
use crate::schema::{DeviceRow, Devices, LastSeen, LastSeenRow, ListedDevices, Users};
use crate::sessions::{DeviceRejected, check_device_name};
use crate::uia::{Authorized, UiaOperation};

/// Most devices that one request deletes.
pub const MAX_DELETED_DEVICES: usize = 10_000;

/// A device as its user sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    pub id: OwnedDeviceId,
    pub display_name: Option<String>,
    pub last_seen: Option<UnixMillis>,
    pub last_seen_address: Option<String>,
    /// What the program called itself then.
    pub user_agent: Option<String>,
}

/// What became of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceUpdate {
    Updated,
    /// Only application services create devices like this.
    Created,
}

/// Why a device is not changed.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    #[error("the user has no such device")]
    NotFound,
    #[error(transparent)]
    Rejected(#[from] DeviceRejected),
    #[error("more than {MAX_DELETED_DEVICES} devices in one request")]
    TooMany,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Accounts {
    /// The actor's devices, in the order of their ids.
    pub async fn devices(&self, actor: &Actor) -> Result<Vec<Device>, DeviceError> {
        let user = own_account(actor)?.to_owned();
        let snapshot = self.snapshot();
        let rows = all_rows(&snapshot, KeyRange::<Devices>::prefix(&user)).await.map_err(StoreError::from)?;
        let keys: Vec<_> = rows.iter().map(|(key, _)| key.clone()).collect();
        let seen = snapshot.get_many::<LastSeen>(&keys).await.map_err(StoreError::from)?;
        Ok(rows.into_iter().zip(seen).map(|(((_, id), row), seen)| shown(id, row, seen)).collect())
    }

    /// The same for an account that may not be there (an administrator may ask for anybody's).
    pub async fn devices_if_present(&self, actor: &Actor) -> Result<Vec<Device>, DeviceError> {
        let user = own_account(actor)?;
        let row = self.active_user(&self.snapshot(), user).await.map_err(StoreError::from)?;
        row.ok_or(DeviceError::NotFound)?;
        self.devices(actor).await
    }

    /// One device of the actor.
    pub async fn device(&self, actor: &Actor, id: &DeviceId) -> Result<Device, DeviceError> {
        let key = (own_account(actor)?.to_owned(), id.to_owned());
        let snapshot = self.snapshot();
        let row = snapshot.get::<Devices>(&key).await.map_err(StoreError::from)?;
        let row = row.ok_or(DeviceError::NotFound)?;
        let seen = snapshot.get::<LastSeen>(&key).await.map_err(StoreError::from)?;
        Ok(shown(key.1, row, seen))
    }

    /// Gives a device another name; `None` leaves it as it is.
    pub async fn update_device(
        &self,
        actor: &Actor,
        id: &DeviceId,
        display_name: Option<String>,
    ) -> Result<DeviceUpdate, DeviceError> {
        let user = own_account(actor)?.to_owned();
        check_device_name(display_name.as_deref())?;
        let parts = self.parts();
        let guard = parts.user_guards.lock(user.as_str()).await;
        let key = (user, id.to_owned());
        let snapshot = self.snapshot();
        let existing = snapshot.get::<Devices>(&key).await.map_err(StoreError::from)?;
        let (mut batch, mut ended) = (Batch::durable(), Vec::new());
        batch.expect::<Devices>(&key, existing.as_ref());
        let (row, update) = match existing {
            Some(row) if display_name.is_none() => (row, DeviceUpdate::Updated),
            Some(row) => {
                if row.display_name != display_name {
                    renamed(&snapshot, &mut batch, &key).await.map_err(StoreError::from)?;
                }
                (DeviceRow { display_name, ..row }, DeviceUpdate::Updated)
            }
            None => match actor {
                Actor::AppService { .. } => {
                    let user = self.active_user(&snapshot, &key.0).await.map_err(StoreError::from)?;
                    let user = user.ok_or(DeviceError::NotFound)?;
                    batch.expect::<Users>(&key.0, Some(&user));
                    let now = parts.clock.now();
                    ended =
                        make_room(&snapshot, &mut batch, (&key.0, now)).await.map_err(StoreError::from)?;
                    (new_device(display_name, now), DeviceUpdate::Created)
                }
                Actor::User { .. }
                | Actor::Guest { .. }
                | Actor::AdminAs { .. }
                | Actor::ShadowBanned { .. }
                | Actor::Server
                | Actor::ServerAs { .. } => return Err(DeviceError::NotFound),
            },
        };
        batch.put::<Devices>(&key, &row);
        self.commit_ending(batch, ended, &guard).await.map_err(StoreError::from)?;
        Ok(update)
    }

    /// Deletes devices of the actor and names those that were there. One that is not there is deleted already.
    pub async fn delete_devices(
        &self,
        actor: &Actor,
        authorized: Authorized,
        ids: &[OwnedDeviceId],
    ) -> Result<Vec<OwnedDeviceId>, DeviceError> {
        let user = own_account(actor)?;
        let is_for_one =
            matches!(ids, [id] if authorized.check(user, &UiaOperation::DeleteDevice(id.clone())).is_ok());
        if !is_for_one {
            authorized.check(user, &UiaOperation::DeleteDevices)?;
        }
        if ids.len() > MAX_DELETED_DEVICES {
            return Err(DeviceError::TooMany);
        }
        Ok(self.remove_devices(user, Which::These(ids)).await?)
    }

    /// Ends the actor's session: its device goes.
    pub async fn logout(&self, actor: &Actor) -> Result<Vec<OwnedDeviceId>, DeviceError> {
        let device = actor.device_id().ok_or(DeviceError::NotFound)?.to_owned();
        Ok(self.remove_devices(own_account(actor)?, Which::These(&[device])).await?)
    }

    /// Ends all sessions of the actor and names the devices that are gone. A dehydrated device is there for the time without any.
    pub async fn logout_all(&self, actor: &Actor) -> Result<Vec<OwnedDeviceId>, DeviceError> {
        Ok(self.remove_devices(own_account(actor)?, Which::Sessions).await?)
    }

    async fn remove_devices(
        &self,
        user: &UserId,
        which: Which<'_>,
    ) -> Result<Vec<OwnedDeviceId>, StoreError> {
        let user = user.to_owned();
        let parts = self.parts();
        let guard = parts.user_guards.lock(user.as_str()).await;
        let mut batch = Batch::durable();
        let whose = (&user, parts.clock.now());
        let (gone, ended) = delete_rows(&self.snapshot(), &mut batch, whose, which).await?;
        if !gone.is_empty() {
            self.commit_ending(batch, ended, &guard).await?;
        }
        Ok(gone)
    }
}

/// Others who have the device on their list see its name.
async fn renamed(
    snapshot: &Snapshot,
    batch: &mut Batch,
    key: &(OwnedUserId, OwnedDeviceId),
) -> Result<(), ReadError> {
    if snapshot.get::<ListedDevices>(key).await?.is_some() {
        change_device_list(snapshot, batch, &key.0).await?;
    }
    Ok(())
}

fn shown(id: OwnedDeviceId, row: DeviceRow, seen: Option<LastSeenRow>) -> Device {
    let display_name = row.display_name;
    match seen {
        Some(LastSeenRow { at, address, user_agent }) => {
            Device { id, display_name, last_seen: Some(at), last_seen_address: Some(address), user_agent }
        }
        None => Device { id, display_name, last_seen: None, last_seen_address: None, user_agent: None },
    }
}
