//! Devices that are gone, until what other parts kept for them is gone, too.
//!
//! Owns: the list of them, which is a stream, too: who keeps something of a device in memory is told. Does not own: what was kept for a device, whose owner strikes it off.
//!
//! Invariants: a device is on the list from the batch of its deletion on, so no crash loses one, under what tells it from a later device of its id. It comes
//! up [`UNDER_WAY`] after its end, when what was on the way to it has arrived: so one look finds all.

use std::time::Duration;

use plop_base::UnixMillis;
use plop_db::{Batch, Direction, KeyRange, Position, ReadError, Snapshot};
use ruma::{OwnedDeviceId, OwnedUserId};

use crate::schema::EndedDevices;

/// No operation that has found a device takes this long until its batch is in the store, or refused.
pub const UNDER_WAY: Duration = Duration::from_secs(10 * 60);

/// A device on the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedDevice {
    pub user: OwnedUserId,
    pub device: OwnedDeviceId,
    /// When it was made ([`DeviceRow::since`](crate::schema::DeviceRow::since)).
    pub since: Position,
    due: UnixMillis,
}

/// Puts a device on the list that is deleted in the batch.
pub(crate) fn note_ended_device(
    batch: &mut Batch,
    now: UnixMillis,
    (user, device): (OwnedUserId, OwnedDeviceId),
    since: Position,
) {
    let owner = (user.clone(), device.clone());
    batch.append::<EndedDevices>(&owner, &(now.plus(UNDER_WAY), user, device, since), &());
}

/// Devices that have come up, those that ended first first, at most `limit`.
pub async fn ended_devices(
    snapshot: &Snapshot,
    now: UnixMillis,
    limit: usize,
) -> Result<Vec<EndedDevice>, ReadError> {
    let due = KeyRange::<EndedDevices>::all().to(&now);
    let page = snapshot.scan(due, Direction::Forward, limit).await?;
    let ended = |((due, user, device, since), ())| EndedDevice { user, device, since, due };
    Ok(page.rows.into_iter().map(ended).collect())
}

/// Strikes a device off in the batch that deletes what was kept for it.
pub fn strike_off_ended(batch: &mut Batch, ended: EndedDevice) {
    let EndedDevice { user, device, since, due } = ended;
    batch.delete::<EndedDevices>(&(due, user, device, since));
}
