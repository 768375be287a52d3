//! The rows of a user's devices: how many there may be, and how they go.
//!
//! Invariants: a user has at most [`MAX_DEVICES`], so what is done to all of them is one batch that fits; a device goes with its tokens, its
//! sighting, its pushers and its settings, in one batch, which puts it on the list of those that ended, and tells those who had it on theirs.

use std::collections::{BTreeMap, BTreeSet};

use plop_base::UnixMillis;
use plop_db::{Batch, KeyRange, Position, ReadError, Snapshot};
use ruma::{DeviceId, OwnedDeviceId, OwnedUserId};

use crate::device_lists::{change_device_list, unlist_devices};
use crate::device_settings::end_device_settings;
use crate::ended_devices::note_ended_device;
use crate::pushers::delete_pushers;
use crate::rows::all_rows;
use crate::schema::{DehydratedDevices, DeviceRow, DeviceTokens, Devices, LastSeen};
use crate::secrets::SecretHash;
use crate::tokens::{forget, tokens_of};

/// Most devices of one user, besides a dehydrated one. A program that logs in anew at each start makes one each time: the one that was not seen for longest goes. The
/// tokens that a device can have at most (some 160) are 8 kB in a batch that revokes them, so those of all devices are half of what it may
/// hold.
pub const MAX_DEVICES: usize = 500;

/// Which devices go.
pub(crate) enum Which<'a> {
    /// The dehydrated one, too: the account ends, and its account data with it.
    All,
    /// Those that somebody logged in to.
    Sessions,
    SessionsBut(&'a DeviceId),
    These(&'a [OwnedDeviceId]),
}

/// The row of a device that is made.
pub(crate) fn new_device(display_name: Option<String>, created: UnixMillis) -> DeviceRow {
    DeviceRow { since: Position::pending(0), display_name, created, generation: 0 }
}

/// Deletes devices of a user in a batch. Names those that were there, and their sessions. To be called under the user's guard.
pub(crate) async fn delete_rows(
    snapshot: &Snapshot,
    batch: &mut Batch,
    (user, now): (&OwnedUserId, UnixMillis),
    which: Which<'_>,
) -> Result<(Vec<OwnedDeviceId>, Vec<SecretHash>), ReadError> {
    let devices = all_rows(snapshot, KeyRange::<Devices>::prefix(user)).await?;
    let present = devices.into_iter().map(|((_, id), row)| (id, row.since));
    let dehydrated = snapshot.get::<DehydratedDevices>(user).await?.map(|row| row.device);
    let is_session = |id: &OwnedDeviceId| dehydrated.as_ref() != Some(id);
    let ends_account = matches!(which, Which::All);
    let gone: BTreeMap<OwnedDeviceId, Position> = match which {
        Which::All => present.collect(),
        Which::Sessions => present.filter(|(id, _)| is_session(id)).collect(),
        Which::SessionsBut(kept) => present.filter(|(id, _)| is_session(id) && *id != *kept).collect(),
        Which::These(ids) => {
            let ids: BTreeSet<_> = ids.iter().collect();
            present.filter(|(id, _)| ids.contains(id)).collect()
        }
    };
    let ended = if ends_account {
        delete_rows_of(snapshot, batch, (user, now), &gone).await?
    } else {
        delete_present(snapshot, batch, (user, now), &gone).await?
    };
    Ok((gone.into_keys().collect(), ended))
}

/// Makes room for one more device of a user, in a batch. Names the sessions that this ends. To be called under the user's guard.
pub(crate) async fn make_room(
    snapshot: &Snapshot,
    batch: &mut Batch,
    (user, now): (&OwnedUserId, UnixMillis),
) -> Result<Vec<SecretHash>, ReadError> {
    let mut devices = all_rows(snapshot, KeyRange::<Devices>::prefix(user)).await?;
    let dehydrated = snapshot.get::<DehydratedDevices>(user).await?;
    if let Some(dehydrated) = dehydrated {
        devices.retain(|((_, id), _)| *id != dehydrated.device);
    }
    let too_many = (devices.len() + 1).saturating_sub(MAX_DEVICES);
    if too_many == 0 {
        return Ok(Vec::new());
    }
    let (keys, rows): (Vec<_>, Vec<_>) = devices.into_iter().unzip();
    let seen = snapshot.get_many::<LastSeen>(&keys).await?;
    let last_used =
        rows.iter().zip(seen).map(|(row, seen)| (seen.map_or(row.created, |seen| seen.at), row.since));
    let mut by_use: Vec<_> = last_used.zip(keys).map(|((at, since), (_, id))| (at, id, since)).collect();
    by_use.sort();
    let gone = by_use.into_iter().take(too_many).map(|(_, id, since)| (id, since)).collect();
    delete_present(snapshot, batch, (user, now), &gone).await
}

/// Deletes devices that are there, named with the time at which they were made. Names their sessions. To be called under the user's guard.
pub(crate) async fn delete_present(
    snapshot: &Snapshot,
    batch: &mut Batch,
    (user, now): (&OwnedUserId, UnixMillis),
    gone: &BTreeMap<OwnedDeviceId, Position>,
) -> Result<Vec<SecretHash>, ReadError> {
    end_device_settings(snapshot, batch, user, gone.keys()).await?;
    delete_rows_of(snapshot, batch, (user, now), gone).await
}

async fn delete_rows_of(
    snapshot: &Snapshot,
    batch: &mut Batch,
    (user, now): (&OwnedUserId, UnixMillis),
    gone: &BTreeMap<OwnedDeviceId, Position>,
) -> Result<Vec<SecretHash>, ReadError> {
    let mut ended = Vec::new();
    for (id, since) in gone {
        let key = (user.clone(), id.clone());
        let tokens = tokens_of(snapshot, KeyRange::<DeviceTokens>::prefix(&key)).await?;
        ended.extend(tokens.iter().map(|token| forget(batch, token)));
        batch.delete_range(KeyRange::<DeviceTokens>::prefix(&key));
        batch.delete::<Devices>(&key);
        batch.delete::<LastSeen>(&key);
        note_ended_device(batch, now, key, *since);
    }
    let dehydrated = snapshot.get::<DehydratedDevices>(user).await?;
    if dehydrated.is_some_and(|dehydrated| gone.contains_key(&dehydrated.device)) {
        batch.delete::<DehydratedDevices>(user);
    }
    let goes = |device: &Option<OwnedDeviceId>| device.as_ref().is_some_and(|id| gone.contains_key(id));
    if !gone.is_empty() {
        delete_pushers(snapshot, batch, user, |row| goes(&row.device)).await?;
    }
    if unlist_devices(snapshot, batch, user, gone.keys()).await? {
        change_device_list(snapshot, batch, user).await?;
    }
    Ok(ended)
}

/// Whether a login names the dehydrated device of its user.
pub(crate) async fn is_dehydrated(
    snapshot: &Snapshot,
    user: &OwnedUserId,
    device: Option<&DeviceId>,
) -> Result<bool, ReadError> {
    let Some(device) = device else { return Ok(false) };
    let row = snapshot.get::<DehydratedDevices>(user).await?;
    Ok(row.is_some_and(|row| row.device == *device))
}
