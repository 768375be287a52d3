//! How rows of accounts become those of newer schemas.
//!
//! Owns: the migrations, the keyspaces that only they know. Does not own: running them.

use std::pin::Pin;

use plop_base::UnixMillis;
use plop_db::{Batch, Direction, KeyRange, Migration, Position, ReadError, Snapshot, Step};
use ruma::{OwnedDeviceId, OwnedUserId};

use crate::ended_devices::UNDER_WAY;
use crate::schema::{AccountEnds, DeviceEnds};

plop_db::keyspaces! {
    pub const RETIRED;

    /// Devices that were gone, by the time when they came up, the user, the device, when it was made: one list, which one reader worked
    /// off. Empty since schema 2.
    pub EndedDevices = 73 "ended_devices" Queue { (UnixMillis, OwnedUserId, OwnedDeviceId, Position) => () }

    /// Accounts that had ended: one list, which one reader worked off. Empty since schema 2.
    pub EndedAccounts = 169 "ended_accounts" Queue { OwnedUserId => () }
}

/// Rows of each list that are moved in one step.
const ROWS: usize = 1_000;

/// To schema 2: the lists of what has ended become streams.
pub struct EndsAsStreams;

impl Migration for EndsAsStreams {
    fn to(&self) -> u32 {
        2
    }

    fn name(&self) -> &'static str {
        "the ends of devices and accounts become streams"
    }

    /// What was moved is gone from the lists, so a step has no need of the ones before.
    fn step<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        _done: Option<&'a [u8]>,
    ) -> Pin<Box<dyn Future<Output = Result<Step, ReadError>> + Send + 'a>> {
        Box::pin(async move {
            let devices = snapshot.scan(KeyRange::<EndedDevices>::all(), Direction::Forward, ROWS).await?;
            let accounts = snapshot.scan(KeyRange::<EndedAccounts>::all(), Direction::Forward, ROWS).await?;
            let mut batch = Batch::durable();
            for (index, (key, ())) in (0..).zip(devices.rows) {
                batch.delete::<EndedDevices>(&key);
                let (due, user, device, since) = key;
                let end = (Position::pending(index), user, device, since);
                batch.put::<DeviceEnds>(&end, &due.minus(UNDER_WAY));
            }
            for (index, (user, ())) in (0..).zip(accounts.rows) {
                batch.delete::<EndedAccounts>(&user);
                batch.put::<AccountEnds>(&(Position::pending(index), user), &());
            }
            Ok(if devices.more || accounts.more {
                Step::More { batch, done: Vec::new() }
            } else {
                Step::Last { batch }
            })
        })
    }
}
