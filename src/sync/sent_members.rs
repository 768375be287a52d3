//! Which member events a device has been sent (client-server API, "Lazy-loading room members").
//!
//! Owns: a bounded memory of them. Does not own: which are needed.
//!
//! Invariants: a member event counts as sent once the client comes back with the token of the answer that had it: each answer has a number, which is in
//! its token. Of two answers to one token only that counts whose token comes back. What is forgotten is sent again, which is allowed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plop_state_store::{EventNumber, RoomNumber};
use quick_cache::sync::Cache;
use ruma::{DeviceId, OwnedDeviceId, OwnedUserId, UserId};

/// Devices that are remembered.
const DEVICES: usize = 5_000;
/// Member events of a device that are remembered.
const MAX_OF_DEVICE: usize = 2_000;
/// Answers of a device whose token may still come back.
const MAX_ANSWERS: usize = 16;

/// The number of an answer; no other answer of this process has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AnswerNumber(pub u64);

impl AnswerNumber {
    /// Of an answer that is not remembered.
    pub const NONE: Self = Self(0);
}

type MemberEvent = (RoomNumber, EventNumber);

/// What one device has.
#[derive(Default)]
struct Device {
    /// The answer whose token came last; `None`: the client has nothing.
    came_with: Option<AnswerNumber>,
    has: BTreeSet<MemberEvent>,
    /// What the answers to that token have besides.
    sent: BTreeMap<AnswerNumber, BTreeSet<MemberEvent>>,
}

impl Device {
    fn come_with(&mut self, answer: Option<AnswerNumber>) {
        if self.came_with == answer {
            return;
        }
        match answer.and_then(|answer| self.sent.remove(&answer)) {
            Some(got) => self.has.extend(got),
            None => self.has.clear(),
        }
        if self.has.len() > MAX_OF_DEVICE {
            self.has.clear();
        }
        self.sent.clear();
        self.came_with = answer;
    }

    fn begin(&mut self, answer: AnswerNumber) {
        self.sent.insert(answer, BTreeSet::new());
        if self.sent.len() > MAX_ANSWERS {
            self.sent.pop_first();
        }
    }
}

type SharedDevice = Arc<Mutex<Device>>;

fn lock(device: &SharedDevice) -> MutexGuard<'_, Device> {
    // Each entry is whole at any time.
    device.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An answer to a device.
#[derive(Clone)]
pub struct Sending {
    number: AnswerNumber,
    device: SharedDevice,
}

impl Sending {
    /// What the answer's token says.
    pub fn number(&self) -> AnswerNumber {
        self.number
    }

    /// Whether the device has this member event.
    pub fn has(&self, room: RoomNumber, event: EventNumber) -> bool {
        lock(&self.device).has.contains(&(room, event))
    }

    /// The answer has these member events.
    pub fn add(&self, room: RoomNumber, events: impl Iterator<Item = EventNumber>) {
        if let Some(sent) = lock(&self.device).sent.get_mut(&self.number) {
            let left = MAX_OF_DEVICE.saturating_sub(sent.len());
            sent.extend(events.take(left).map(|event| (room, event)));
        }
    }
}

/// A sequence of answers, each to the token of one before: of a device on `/sync` (`None`), or of one of its connections.
type Loop = (OwnedUserId, Option<OwnedDeviceId>, Option<[u8; 16]>);

/// What devices have been sent.
pub struct SentMembers {
    devices: Cache<Loop, SharedDevice>,
    next: AtomicU64,
}

impl Default for SentMembers {
    fn default() -> Self {
        Self { devices: Cache::new(DEVICES), next: AtomicU64::new(AnswerNumber::NONE.0 + 1) }
    }
}

impl SentMembers {
    /// An answer to a device that comes with the token of an earlier one of this process, or with none.
    pub fn sending(
        &self,
        user: &UserId,
        device: Option<&DeviceId>,
        connection: Option<[u8; 16]>,
        came_with: Option<AnswerNumber>,
    ) -> Sending {
        let number = AnswerNumber(self.next.fetch_add(1, Ordering::Relaxed));
        let device = self.device((user.to_owned(), device.map(ToOwned::to_owned), connection));
        {
            let mut device = lock(&device);
            device.come_with(came_with.filter(|answer| *answer != AnswerNumber::NONE));
            device.begin(number);
        }
        Sending { number, device }
    }

    fn device(&self, key: Loop) -> SharedDevice {
        if let Some(known) = self.devices.get(&key) {
            return known;
        }
        let new = SharedDevice::default();
        self.devices.insert(key, Arc::clone(&new));
        new
    }
}

#[cfg(test)]
mod tests {
    use ruma::{device_id, user_id};

    use super::*;

    const ROOM: RoomNumber = RoomNumber(1);

    fn sending(members: &SentMembers, came_with: Option<&Sending>) -> Sending {
        members.sending(user_id!("@a:b"), Some(device_id!("D")), None, came_with.map(Sending::number))
    }

    fn add(sending: &Sending, events: std::ops::Range<u64>) {
        sending.add(ROOM, events.map(EventNumber));
    }

    #[test]
    fn only_the_answer_whose_token_comes_back_counts() {
        let members = SentMembers::default();
        let first = sending(&members, None);
        add(&first, 0..1);
        assert!(!first.has(ROOM, EventNumber(0)), "it has not come back");
        let (lost, got) = (sending(&members, Some(&first)), sending(&members, Some(&first)));
        add(&lost, 1..2);
        add(&got, 2..3);
        assert!(got.has(ROOM, EventNumber(0)) && !got.has(ROOM, EventNumber(1)));
        let next = sending(&members, Some(&got));
        let has = |event| next.has(ROOM, EventNumber(event));
        assert_eq!([has(0), has(1), has(2)], [true, false, true]);
        // An answer that was given up goes on writing: that is no longer asked for.
        add(&lost, 3..4);
        let other_line = sending(&members, Some(&lost));
        assert!((0..4).all(|event| !other_line.has(ROOM, EventNumber(event))));
        assert!((0..4).all(|event| !sending(&members, None).has(ROOM, EventNumber(event))));
    }

    #[test]
    fn the_memory_is_bounded_and_what_is_forgotten_is_not_there() {
        let members = SentMembers::default();
        let mut last = sending(&members, None);
        add(&last, 0..1_000_000);
        let first = last.clone();
        for round in 1..4 {
            last = sending(&members, Some(&last));
            let start = round * 10_000;
            add(&last, start..start + 900);
        }
        last = sending(&members, Some(&last));
        assert!(lock(&last.device).has.len() <= MAX_OF_DEVICE);
        for _ in 0..100 {
            sending(&members, Some(&last));
        }
        assert_eq!(lock(&last.device).sent.len(), MAX_ANSWERS);
        assert!(!sending(&members, Some(&first)).has(ROOM, EventNumber(0)), "too long ago");
    }
}
