//! Dehydrated devices (MSC3814): a device that nobody uses at present. Others send it room keys as to any device, while its user is logged in nowhere perhaps;
//! a client that logs in later opens it with a key that the server does not have, reads what came, and leaves a new one.
//!
//! Owns: which device of a user that is, and what clients keep of it here. Does not own: its keys and the messages to it (e2ee).
//!
//! Invariants: a user has at most one. In the batch that makes another one the former ends, as any device does, so that nothing that was kept for
//! it is the next one's. It is a device with no token: nobody logs in to it. It does not count in
//! [`MAX_DEVICES`](crate::device_rows::MAX_DEVICES), and stays when sessions end, because it is for the time without any; it goes when it is named in a
//! deletion, and with the account.

use std::collections::BTreeMap;

use plop_base::Actor;
use plop_db::codec::Tail;
use plop_db::{Batch, Position, ReadError, Snapshot};
use plop_state::json::{Object, Value, canonical_object};
use ruma::{OwnedDeviceId, OwnedUserId, UserId};

use crate::accounts::Accounts;
use crate::authority::own_account;
use crate::device_lists::change_device_list;
use crate::device_rows::{delete_present, new_device};
use crate::devices::DeviceError;
use crate::error::StoreError;
use crate::schema::{DehydratedDeviceRow, DehydratedDevices, DeviceRow, Devices, Users};
use crate::sessions::{DeviceRejected, check_device_id, check_device_name};

/// Most that a client keeps of a dehydrated device, in bytes of canonical JSON. Usual data, the private halves of some 50 keys, has 5 kB.
pub const MAX_DEVICE_DATA_BYTES: usize = 64 << 10;

/// The dehydrated device of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DehydratedDevice {
    pub id: OwnedDeviceId,
    /// When it was made ([`DeviceRow::since`]).
    pub since: Position,
    /// What the client keeps of it, as canonical JSON.
    pub data: String,
}

/// One that is to be made.
#[derive(Clone, Debug)]
pub struct NewDehydratedDevice {
    pub id: OwnedDeviceId,
    pub display_name: Option<String>,
    /// What the client keeps of it: the name of an algorithm, and what that wants.
    pub data: Object,
}

/// Why there is no such dehydrated device.
#[derive(Debug, thiserror::Error)]
pub enum DehydrationError {
    #[error(transparent)]
    Rejected(#[from] DeviceRejected),
    #[error("`device_data` has no `algorithm`, or one that is no string")]
    NoAlgorithm,
    #[error("`device_data` is larger than {MAX_DEVICE_DATA_BYTES} bytes")]
    TooLarge,
    /// It would take the place of a session.
    #[error("there is a session with this device id")]
    InUse,
    #[error("there is no such account")]
    NoAccount,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ReadError> for DehydrationError {
    fn from(error: ReadError) -> Self {
        Self::Store(error.into())
    }
}

impl Accounts {
    /// Makes a device the user's dehydrated one, in the batch that publishes its keys, and says when it was made. `is_there`: it is the one that is there
    /// already, and keeps what has come for it. To be called under the user's guard ([`Accounts::lock_user`]).
    pub async fn dehydrate(
        &self,
        snapshot: &Snapshot,
        batch: &mut Batch,
        user: &OwnedUserId,
        device: NewDehydratedDevice,
        is_there: bool,
    ) -> Result<Position, DehydrationError> {
        let NewDehydratedDevice { id, display_name, data } = device;
        check_device_id(&id)?;
        check_device_name(display_name.as_deref())?;
        let data = checked_data(&data)?;
        let account = self.active_user(snapshot, user).await?.ok_or(DehydrationError::NoAccount)?;
        let key = (user.clone(), id);
        let former = snapshot.get::<DehydratedDevices>(user).await?;
        let present = snapshot.get::<Devices>(&key).await?;
        let is_former = former.as_ref().is_some_and(|former| former.device == key.1);
        if present.is_some() && !is_former {
            return Err(DehydrationError::InUse);
        }
        batch.expect::<Users>(user, Some(&account));
        batch.expect::<DehydratedDevices>(user, former.as_ref());
        batch.expect::<Devices>(&key, present.as_ref());
        let now = self.parts().clock.now();
        let row = match present.filter(|_| is_there) {
            Some(row) => {
                if row.display_name != display_name {
                    change_device_list(snapshot, batch, user).await?;
                }
                DeviceRow { display_name, ..row }
            }
            None => {
                let gone: BTreeMap<_, _> =
                    former.into_iter().map(|former| (former.device, former.since)).collect();
                // It had no session.
                delete_present(snapshot, batch, (user, now), &gone).await?;
                new_device(display_name, now)
            }
        };
        batch.put::<Devices>(&key, &row);
        let (since, device) = (row.since, key.1);
        batch.put::<DehydratedDevices>(user, &DehydratedDeviceRow { device, since, data: Tail(data) });
        Ok(since)
    }

    /// Ends the actor's dehydrated device, and names it; `None` where there is none.
    pub async fn delete_dehydrated_device(
        &self,
        actor: &Actor,
    ) -> Result<Option<OwnedDeviceId>, DeviceError> {
        let user = own_account(actor)?.to_owned();
        let guard = self.lock_user(&user).await;
        let snapshot = self.snapshot();
        let found = dehydrated_device(&snapshot, &user).await.map_err(StoreError::from)?;
        let Some(DehydratedDevice { id, since, .. }) = found else { return Ok(None) };
        let mut batch = Batch::durable();
        let (whose, gone) = ((&user, self.parts().clock.now()), BTreeMap::from([(id.clone(), since)]));
        let ended = delete_present(&snapshot, &mut batch, whose, &gone).await.map_err(StoreError::from)?;
        self.commit_ending(batch, ended, &guard).await.map_err(StoreError::from)?;
        Ok(Some(id))
    }

    /// The actor's dehydrated device.
    pub async fn dehydrated_device(&self, actor: &Actor) -> Result<DehydratedDevice, DeviceError> {
        let found =
            dehydrated_device(&self.snapshot(), own_account(actor)?).await.map_err(StoreError::from)?;
        found.ok_or(DeviceError::NotFound)
    }
}

/// The dehydrated device of a user.
pub async fn dehydrated_device(
    snapshot: &Snapshot,
    user: &UserId,
) -> Result<Option<DehydratedDevice>, ReadError> {
    let row = snapshot.get::<DehydratedDevices>(&user.to_owned()).await?;
    Ok(row.map(|row| DehydratedDevice { id: row.device, since: row.since, data: row.data.0 }))
}

fn checked_data(data: &Object) -> Result<String, DehydrationError> {
    data.get("algorithm").and_then(Value::as_str).ok_or(DehydrationError::NoAlgorithm)?;
    let data = canonical_object(data, &[]);
    if data.len() > MAX_DEVICE_DATA_BYTES { Err(DehydrationError::TooLarge) } else { Ok(data) }
}
