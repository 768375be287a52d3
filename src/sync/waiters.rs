//! Requests that wait for something to happen.
//!
//! Owns: who waits, and waking them. Does not own: whether what happened concerns them (they look), when to wake whom ([`crate::wake`]).
//!
//! Invariants: a wake between two looks is not lost. At most [`MAX_OF_DEVICE`] requests of a device and [`MAX_OF_USER`] of a user wait; one more
//! ends the oldest, which then answers what it has.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plop_rooms::MemberTable;
use ruma::{DeviceId, OwnedDeviceId, OwnedUserId, UserId};
use tokio::sync::Notify;

use crate::sliding::schema::ConnectionId;

/// Requests of one device that wait. A client has one; after a broken connection the old one may not have been noticed yet. Were it
/// only one, two loops of one device would end each other all the time.
pub const MAX_OF_DEVICE: usize = 8;
/// Requests of one user that wait, over all devices.
pub const MAX_OF_USER: usize = 200;

/// Everyone who waits.
#[derive(Default)]
pub struct Waiters(Mutex<State>);

#[derive(Default)]
struct State {
    next: u64,
    users: BTreeMap<OwnedUserId, Vec<Place>>,
}

struct Place {
    id: u64,
    device: Option<OwnedDeviceId>,
    /// Of sliding sync.
    connection: Option<ConnectionId>,
    bell: Arc<Bell>,
}

#[derive(Default)]
struct Bell {
    notify: Notify,
    /// A newer request has taken the place.
    ended: AtomicBool,
}

impl Bell {
    fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.notify.notify_one();
    }
}

/// One request that waits, as long as it lives.
pub struct Waiter {
    waiters: Arc<Waiters>,
    user: OwnedUserId,
    id: u64,
    bell: Arc<Bell>,
}

impl Waiter {
    /// Resolves when there may be something, at once if there was since the last time.
    pub async fn woken(&self) {
        self.bell.notify.notified().await;
    }

    /// Whether a newer request has taken the place.
    pub fn has_ended(&self) -> bool {
        self.bell.ended.load(Ordering::Acquire)
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut state = self.waiters.lock();
        if let Some(places) = state.users.get_mut(&self.user) {
            places.retain(|place| place.id != self.id);
            if places.is_empty() {
                state.users.remove(&self.user);
            }
        }
    }
}

impl Waiters {
    /// A place among those who wait. Of one connection of sliding sync only the newest request waits: the one before was given up.
    pub fn enter(
        self: &Arc<Self>,
        user: &UserId,
        device: Option<&DeviceId>,
        connection: Option<ConnectionId>,
    ) -> Waiter {
        let bell = Arc::new(Bell::default());
        let mut state = self.lock();
        let id = state.next;
        state.next += 1;
        let places = state.users.entry(user.to_owned()).or_default();
        if connection.is_some() {
            end_first(places, |place| place.connection == connection);
        }
        let of_device = places.iter().filter(|place| place.device.as_deref() == device).count();
        if of_device >= MAX_OF_DEVICE {
            end_first(places, |place| place.device.as_deref() == device);
        } else if places.len() >= MAX_OF_USER {
            end_first(places, |_| true);
        }
        let device = device.map(ToOwned::to_owned);
        places.push(Place { id, device, connection, bell: Arc::clone(&bell) });
        drop(state);
        Waiter { waiters: Arc::clone(self), user: user.to_owned(), id, bell }
    }

    /// Wakes a user's requests.
    pub fn wake(&self, user: &UserId) {
        if let Some(places) = self.lock().users.get(user) {
            ring(places);
        }
    }

    /// Wakes the members of a room: at the cost of the smaller of those who are of this server and those who wait.
    pub fn wake_members(&self, members: &MemberTable) {
        let state = self.lock();
        if members.local_count() < state.users.len() {
            members.local().filter_map(|user| state.users.get(user)).for_each(|places| ring(places));
        } else {
            let waiting = state.users.iter().filter(|(user, _)| members.is_joined(user));
            waiting.for_each(|(_, places)| ring(places));
        }
    }

    /// Wakes those whom a question picks.
    pub fn wake_where(&self, mut concerns: impl FnMut(&UserId) -> bool) {
        let state = self.lock();
        state.users.iter().filter(|(user, _)| concerns(user)).for_each(|(_, places)| ring(places));
    }

    /// Everyone who waits.
    pub fn users(&self) -> Vec<OwnedUserId> {
        self.lock().users.keys().cloned().collect()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.lock().users.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Whole at any time: nothing in between panics.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ring(places: &[Place]) {
    for place in places {
        place.bell.notify.notify_one();
    }
}

/// Takes out the oldest of some requests.
fn end_first(places: &mut Vec<Place>, of: impl Fn(&Place) -> bool) {
    if let Some(index) = places.iter().position(of) {
        places.remove(index).bell.end();
    }
}
