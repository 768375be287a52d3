//! What clients keep in account data about one device, and which ends with it: `org.matrix.msc3890.local_notification_settings.<device>` (MSC3890).
//!
//! Owns: which types these are, and their end. Does not own: the rows, nor what is in them.
//!
//! Invariant: a device and its settings go in one batch, so a later device of its id finds none.

use plop_db::codec::Tail;
use plop_db::{Batch, Position, ReadError, Snapshot};
use ruma::{OwnedDeviceId, OwnedUserId};

use crate::account_data::{DELETED, size};
use crate::schema::{
    AccountData, AccountDataChanges, AccountDataRow, AccountDataTotals, AccountDataTotalsRow,
};

/// What the types begin with, as they are in use and as they are to be called.
const PREFIXES: [&str; 2] =
    ["org.matrix.msc3890.local_notification_settings.", "m.local_notification_settings."];

/// Deletes the settings of devices that are deleted in the batch. To be called under the user's guard.
pub(crate) async fn end_device_settings(
    snapshot: &Snapshot,
    batch: &mut Batch,
    user: &OwnedUserId,
    devices: impl Iterator<Item = &OwnedDeviceId>,
) -> Result<(), ReadError> {
    let kinds = devices.flat_map(|device| PREFIXES.map(|prefix| format!("{prefix}{device}")));
    let keys: Vec<_> = kinds.map(|kind| (user.clone(), None, kind)).collect();
    let rows = snapshot.get_many::<AccountData>(&keys).await?;
    let present = keys.into_iter().zip(rows).filter_map(|(key, row)| Some((key, row?)));
    let ending: Vec<_> = present.filter(|(_, row)| row.content.0 != DELETED).collect();
    let totals = if ending.is_empty() { None } else { snapshot.get::<AccountDataTotals>(user).await? };
    let Some(totals) = totals else { return Ok(()) };
    batch.expect::<AccountDataTotals>(user, Some(&totals));
    let mut bytes = totals.bytes;
    for (index, (key, row)) in (0..).zip(ending) {
        batch.expect::<AccountData>(&key, Some(&row));
        bytes = bytes.saturating_sub(size(&key, &row.content.0)).saturating_add(size(&key, DELETED));
        batch.delete::<AccountDataChanges>(&(user.clone(), row.position));
        let position = Position::pending(index);
        batch.put::<AccountData>(&key, &AccountDataRow { position, content: Tail(DELETED.to_owned()) });
        batch.append::<AccountDataChanges>(user, &(user.clone(), position), &(key.1, key.2));
    }
    batch.put::<AccountDataTotals>(user, &AccountDataTotalsRow { bytes, ..totals });
    Ok(())
}
