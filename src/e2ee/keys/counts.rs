//! What a device is told of its one-time and fallback keys (client-server API, "Extensions to /sync").
//!
//! Owns: the counts, and their row's changes. Does not own: the keys.
//!
//! Invariants: the row changes in the batch that changes the keys, which expects the row as it was: of two batches that were built on the same
//! counts one is refused.

use std::collections::{BTreeMap, BTreeSet};

use plop_accounts::schema::Devices;
use plop_db::{Batch, Position, ReadError, Snapshot};
use ruma::{DeviceId, UserId};

use crate::schema::{Inbox, KeyCounts, KeyCountsRow};

/// The algorithm that clients use. It is always counted: some take a missing count for "as before".
pub const SIGNED_CURVE25519: &str = "signed_curve25519";

/// The keys that a device has left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyCount {
    /// One-time keys that can be claimed, by algorithm.
    pub one_time: BTreeMap<String, u64>,
    /// Algorithms of fallback keys that have not been handed out.
    pub unused_fallback: BTreeSet<String>,
    /// When this changed last; `None` for a device that never had any.
    pub changed: Option<Position>,
}

impl Default for KeyCount {
    fn default() -> Self {
        Self::from(None)
    }
}

impl From<Option<KeyCountsRow>> for KeyCount {
    fn from(row: Option<KeyCountsRow>) -> Self {
        let changed = row.as_ref().map(|row| row.position);
        let (mut one_time, unused_fallback) =
            row.map(|row| (row.one_time, row.unused_fallback)).unwrap_or_default();
        one_time.entry(SIGNED_CURVE25519.to_owned()).or_default();
        Self { one_time, unused_fallback, changed }
    }
}

/// The keys that a device has left.
pub async fn key_count(snapshot: &Snapshot, user: &UserId, device: &DeviceId) -> Result<KeyCount, ReadError> {
    let owner = (user.to_owned(), device.to_owned());
    let Some(row) = snapshot.get::<Devices>(&owner).await? else { return Ok(KeyCount::default()) };
    let (user, device) = owner;
    Ok(snapshot.get::<KeyCounts>(&(user, device, row.since)).await?.into())
}

/// The counts of a device in a batch.
pub(super) struct Counting {
    before: Option<KeyCountsRow>,
    pub now: KeyCountsRow,
}

impl Counting {
    /// As they are.
    pub async fn of(snapshot: &Snapshot, inbox: &Inbox) -> Result<Self, ReadError> {
        let before = snapshot.get::<KeyCounts>(inbox).await?;
        let now = before.clone().unwrap_or_else(|| KeyCountsRow {
            position: Position::START,
            one_time: BTreeMap::new(),
            unused_fallback: BTreeSet::new(),
            claimed: 0,
        });
        Ok(Self { before, now })
    }

    /// All one-time keys that can be claimed.
    pub fn total(&self) -> u64 {
        self.now.one_time.values().sum()
    }

    pub fn added(&mut self, algorithm: &str) {
        *self.now.one_time.entry(algorithm.to_owned()).or_default() += 1;
    }

    pub fn claimed(&mut self, algorithm: &str) {
        if let Some(count) = self.now.one_time.get_mut(algorithm) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.now.one_time.remove(algorithm);
            }
        }
        self.now.claimed += 1;
    }

    /// Puts what has changed into the batch, and the fence with it.
    pub fn put(&self, batch: &mut Batch, inbox: &Inbox) {
        if self.before.as_ref() == Some(&self.now) {
            return;
        }
        batch.expect::<KeyCounts>(inbox, self.before.as_ref());
        let row = KeyCountsRow { position: Position::pending(0), ..self.now.clone() };
        batch.append::<KeyCounts>(&(inbox.0.clone(), inbox.1.clone()), inbox, &row);
    }
}
