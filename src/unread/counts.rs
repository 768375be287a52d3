//! What a count is.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use plop_rooms::schema::Tally;
use ruma::OwnedEventId;

/// Unread events, as `unread_notifications` of /sync says them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Those that notify.
    pub notification_count: u64,
    /// Those of them that are highlighted.
    pub highlight_count: u64,
}

impl Counts {
    /// What a part of a live stream comes to, mentions aside.
    pub(crate) fn of(tally: Tally) -> Self {
        Self { notification_count: tally.notifying, highlight_count: tally.highlighting }
    }

    pub fn is_zero(self) -> bool {
        self == Self::default()
    }

    /// Less, by an event that was counted and does not count.
    pub(crate) fn take_off(&mut self, other: Self) {
        self.notification_count = self.notification_count.saturating_sub(other.notification_count);
        self.highlight_count = self.highlight_count.saturating_sub(other.highlight_count);
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.notification_count = self.notification_count.saturating_add(other.notification_count);
        self.highlight_count = self.highlight_count.saturating_add(other.highlight_count);
    }
}

/// The unread events of a room by the part that they are in (client-server API, `unread_thread_notifications`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoomCounts {
    pub main: Counts,
    /// By thread root; threads without unread events are left out.
    pub threads: BTreeMap<OwnedEventId, Counts>,
}

impl RoomCounts {
    /// The unread events of the whole room: what a client gets that does not use threads.
    pub fn room(&self) -> Counts {
        let mut sum = self.main;
        for counts in self.threads.values() {
            sum += *counts;
        }
        sum
    }

    /// The counts of the main timeline or a thread.
    pub(crate) fn part(&mut self, thread: Option<&OwnedEventId>) -> &mut Counts {
        match thread {
            Some(root) => self.threads.entry(root.clone()).or_default(),
            None => &mut self.main,
        }
    }
}
