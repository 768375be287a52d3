//! Devices that are gone, until what other parts kept for them is gone, too.
//!
//! Owns: the stream of them ([`DeviceEnds`]), when one comes up. Does not own: what was kept for a device, whose owner reads the stream
//! with a cursor of its own ([`plop_db::Cursor`]); who keeps something of a device in memory is woken by it.
//!
//! Invariants: a device is in the stream from the batch of its deletion on, so no crash loses one, under what tells it from a later device
//! of its id. It comes up [`UNDER_WAY`] after its end, when what was on the way to it has arrived: so one look finds all. One whose end
//! lies in a future farther than that, because the clock was wrong, comes up at once, so that it holds up no others.

use std::time::Duration;

use plop_base::UnixMillis;
use plop_db::{Batch, Cursor, Position, ReadError, Snapshot, unread};
use ruma::{OwnedDeviceId, OwnedUserId};

use crate::schema::{DeviceEnd, DeviceEnds};

/// No operation that has found a device takes this long until its batch is in the store, or refused.
pub const UNDER_WAY: Duration = Duration::from_secs(10 * 60);

/// Tells the end of a device, in the batch that deletes it.
pub(crate) fn note_ended_device(
    batch: &mut Batch,
    now: UnixMillis,
    (user, device): (OwnedUserId, OwnedDeviceId),
    since: Position,
) {
    let owner = (user.clone(), device.clone());
    batch.append::<DeviceEnds>(&owner, &(Position::pending(0), user, device, since), &now);
}

/// Devices that have come up and that a reader is not done with ([`Batch::read_to`]), those that ended first first, at most `limit`.
pub async fn ended_devices<C: Cursor<Of = DeviceEnds>>(
    snapshot: &Snapshot,
    now: UnixMillis,
    limit: usize,
) -> Result<Vec<DeviceEnd>, ReadError> {
    let page = unread::<C>(snapshot, limit).await?;
    let has_come_up = |ended: UnixMillis| now.since(ended).max(ended.since(now)) >= UNDER_WAY;
    Ok(page.rows.into_iter().take_while(|(_, ended)| has_come_up(*ended)).map(|(end, _)| end).collect())
}
