//! Which member events a device has been sent (client-server API, "Lazy-loading room members").
//!
//! Owns: a bounded memory of them. Does not own: which are needed.
//!
//! Invariants: a member event counts as sent once the client comes back with the token of the answer that had it. What is forgotten is sent again, which is
//! allowed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plop_db::Position;
use plop_state_store::{EventNumber, RoomNumber};
use quick_cache::sync::Cache;
use ruma::{DeviceId, OwnedDeviceId, OwnedUserId, UserId};

/// Devices that are remembered.
const DEVICES: usize = 5_000;
/// Member events of a device that are remembered.
const MAX_OF_DEVICE: usize = 2_000;

/// What one device has been sent.
#[derive(Default)]
pub struct SentToDevice(Mutex<BTreeMap<(RoomNumber, EventNumber), Position>>);

impl SentToDevice {
    /// The client comes from this position, or anew: what later answers had did not reach it.
    pub fn come_from(&self, since: Option<Position>) {
        self.lock().retain(|_, sent| since.is_some_and(|since| *sent <= since));
    }

    /// Whether the device has this member event.
    pub fn has(&self, room: RoomNumber, event: EventNumber) -> bool {
        self.lock().contains_key(&(room, event))
    }

    /// The answer that goes up to this position has these member events.
    pub fn add(&self, room: RoomNumber, events: impl Iterator<Item = EventNumber>, to: Position) {
        let mut sent = self.lock();
        for event in events {
            sent.entry((room, event)).or_insert(to);
        }
        if sent.len() > MAX_OF_DEVICE {
            sent.clear();
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(RoomNumber, EventNumber), Position>> {
        // Each entry is whole at any time.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What devices have been sent.
pub struct SentMembers(Cache<(OwnedUserId, Option<OwnedDeviceId>), Arc<SentToDevice>>);

impl Default for SentMembers {
    fn default() -> Self {
        Self(Cache::new(DEVICES))
    }
}

impl SentMembers {
    /// The memory of a device.
    pub fn of(&self, user: &UserId, device: Option<&DeviceId>) -> Arc<SentToDevice> {
        let key = (user.to_owned(), device.map(ToOwned::to_owned));
        if let Some(known) = self.0.get(&key) {
            return known;
        }
        let new = Arc::new(SentToDevice::default());
        self.0.insert(key, Arc::clone(&new));
        new
    }
}
