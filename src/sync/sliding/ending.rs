//! The end of connections.
//!
//! Owns: deleting the rows of one, and finding those that nobody will use. Does not own: when it is done.
//!
//! Invariants: the cost of a sweep follows what ends. What a device had that is gone is under the time at which the device was made, so a later one of that id
//! finds nothing of it, swept or not.

use std::time::Duration;

use plop_accounts::ended_devices::ended_devices;
use plop_base::UnixMillis;
use plop_db::{Batch, CommitError, Db, Direction, KeyRange};
use plop_rooms::StoreFault;

use super::schema::{
    ConnectionKey, ConnectionRow, ConnectionUses, Connections, ConnectionsDeleted, SentRooms, SentWishes,
};

/// Connections that were not used for this long end: their clients begin again.
pub const IDLE_LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Connections that end in one batch.
const PAGE: usize = 100;
/// Ended devices whose connections end in one batch; each has some.
const DEVICES: usize = 20;

/// The row of a connection's last use.
pub fn use_of(
    used: UnixMillis,
    key: &ConnectionKey,
) -> (UnixMillis, ruma::OwnedUserId, ruma::OwnedDeviceId, plop_db::Position, String) {
    let (user, device, since, name) = key.clone();
    (used, user, device, since, name)
}

/// Deletes the rows of a connection.
pub fn end(batch: &mut Batch, key: &ConnectionKey, row: &ConnectionRow) {
    batch.delete::<Connections>(key);
    batch.delete::<ConnectionUses>(&use_of(row.used, key));
    batch.delete_range::<SentRooms>(KeyRange::prefix(&row.id));
    batch.delete_range::<SentWishes>(KeyRange::prefix(&row.id));
}

/// Ends the connections of devices that are gone. What is used at the moment comes up again in the next sweep.
pub async fn sweep_ended(db: &Db, now: UnixMillis) -> Result<(), StoreFault> {
    loop {
        let snapshot = db.snapshot();
        let ended = ended_devices::<ConnectionsDeleted>(&snapshot, now, DEVICES).await?;
        let Some(last) = ended.last().cloned() else { return Ok(()) };
        let mut ending = Vec::new();
        for (_, user, device, since) in ended {
            let range = KeyRange::<Connections>::prefix(&(user, device, since));
            ending.extend(snapshot.scan(range, Direction::Forward, PAGE).await?.rows);
        }
        drop(snapshot);
        let mut batch = all_end(&ending);
        batch.read_to::<ConnectionsDeleted>(&last);
        if !commit(db, batch).await? {
            return Ok(());
        }
    }
}

/// Ends the connections that are idle.
pub async fn sweep_idle(db: &Db, now: UnixMillis) -> Result<(), StoreFault> {
    loop {
        let idle = KeyRange::<ConnectionUses>::all().before(&now.minus(IDLE_LIFETIME));
        let snapshot = db.snapshot();
        let page = snapshot.scan(idle, Direction::Forward, PAGE).await?;
        let keys: Vec<ConnectionKey> = page
            .rows
            .iter()
            .map(|((_, user, device, since, name), ())| (user.clone(), device.clone(), *since, name.clone()))
            .collect();
        let rows = snapshot.get_many::<Connections>(&keys).await?;
        drop(snapshot);
        let ending: Vec<_> = keys.into_iter().zip(rows).filter_map(|(key, row)| Some((key, row?))).collect();
        if ending.is_empty() || !commit(db, all_end(&ending)).await? || !page.more {
            return Ok(());
        }
    }
}

/// Ends them as they are here.
fn all_end(rows: &[(ConnectionKey, ConnectionRow)]) -> Batch {
    let mut batch = Batch::relaxed();
    for (key, row) in rows {
        batch.expect::<Connections>(key, Some(row));
        end(&mut batch, key, row);
    }
    batch
}

/// Whether they have ended: not if one was used meanwhile.
async fn commit(db: &Db, batch: Batch) -> Result<bool, StoreFault> {
    match db.commit(batch).await {
        Ok(_) => Ok(true),
        Err(CommitError::Conflict { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
