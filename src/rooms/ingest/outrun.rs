//! Which waiting events are to be tried again soon, for their room was merely too fast for them.
//!
//! Owns: [`Outrun`], in memory. Does not own: the events, which wait on disk ([`super::waiting`]), or trying them.
//!
//! Invariants: a room is in it exactly while somebody tries its events again and again. No more events of a room than may wait.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plop_state_store::RoomNumber;
use ruma::{EventId, OwnedEventId};

/// Events of one room that may wait. Beyond that the server of which most wait gives up its oldest.
pub(super) const MAX_WAITING: usize = 256;

/// Events that their rooms have outrun. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Outrun(Arc<Mutex<BTreeMap<RoomNumber, VecDeque<OwnedEventId>>>>);

/// Somebody sees to the outrun events of a room. Dropped while some may be left, as by a task that has died, it lets go of the room: what was
/// noted waits for the next start, and whoever notes another one begins anew.
#[must_use]
pub(super) struct Attendance {
    outrun: Outrun,
    room: RoomNumber,
    is_over: bool,
}

impl Outrun {
    /// Notes an event. Where it is the first one of its room, whoever notes it has to see to the room from now on.
    pub fn note(&self, room: RoomNumber, event: &EventId) -> Option<Attendance> {
        let mut rooms = self.lock();
        let is_first = !rooms.contains_key(&room);
        let events = rooms.entry(room).or_default();
        if !events.iter().any(|noted| noted == event) {
            if events.len() >= MAX_WAITING {
                // Most of those that are too many have their place by now, or were given up; another one waits for the next start.
                events.pop_front();
            }
            events.push_back(event.to_owned());
        }
        is_first.then(|| Attendance { outrun: self.clone(), room, is_over: false })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RoomNumber, VecDeque<OwnedEventId>>> {
        // The map is whole at every panic point.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attendance {
    pub fn room(&self) -> RoomNumber {
        self.room
    }

    /// Notes an event of the room that is to be tried once more.
    pub fn note(&self, event: &EventId) {
        // There is an entry of the room as long as this is here: nobody else has to begin.
        let _nobody = self.outrun.note(self.room, event);
    }

    /// Takes the events of the room, to try them. `None`: there are none, and nobody sees to the room any more.
    pub fn take(&mut self) -> Option<VecDeque<OwnedEventId>> {
        let mut rooms = self.outrun.lock();
        let events = rooms.get_mut(&self.room).map(std::mem::take).filter(|events| !events.is_empty());
        if events.is_none() && !std::mem::replace(&mut self.is_over, true) {
            rooms.remove(&self.room);
        }
        events
    }
}

impl Drop for Attendance {
    fn drop(&mut self) {
        // Where it is over, the room may be somebody else's by now.
        if !self.is_over {
            self.outrun.lock().remove(&self.room);
        }
    }
}

#[cfg(test)]
mod tests {
    use plop_state_store::RoomNumber;
    use ruma::{EventId, OwnedEventId};

    use super::{MAX_WAITING, Outrun};

    const ROOM: RoomNumber = RoomNumber(1);

    fn ids(count: usize) -> Vec<OwnedEventId> {
        let id = |number| EventId::parse(format!("${number:a>43}")).expect("an event id");
        (0..count).map(id).collect()
    }

    #[test]
    fn one_sees_to_a_room_until_it_has_none_left() {
        let (outrun, ids) = (Outrun::default(), ids(4));
        let mut attendance = outrun.note(ROOM, &ids[0]).expect("the first one");
        assert!(outrun.note(ROOM, &ids[0]).is_none() && outrun.note(ROOM, &ids[1]).is_none());
        assert!(outrun.note(RoomNumber(2), &ids[0]).is_some(), "another room is another one's");
        assert_eq!(Vec::from(attendance.take().expect("two events")), ids[..2]);
        assert!(outrun.note(ROOM, &ids[2]).is_none(), "they are being tried");
        assert_eq!(Vec::from(attendance.take().expect("one event")), ids[2..3]);
        assert_eq!(attendance.take(), None);
        let mut next = outrun.note(ROOM, &ids[3]).expect("somebody else has to begin");
        drop(attendance);
        assert_eq!(Vec::from(next.take().expect("one event")), ids[3..]);
    }

    #[test]
    fn a_room_is_let_go_of_with_whoever_sees_to_it() {
        let (outrun, ids) = (Outrun::default(), ids(2));
        let mut dies = outrun.note(ROOM, &ids[0]).expect("the first one");
        dies.take().expect("one event");
        drop(dies);
        let mut next = outrun.note(ROOM, &ids[1]).expect("somebody else has to begin");
        assert_eq!(Vec::from(next.take().expect("one event")), ids[1..]);
    }

    #[test]
    fn of_too_many_the_oldest_ones_go() {
        let (outrun, ids) = (Outrun::default(), ids(MAX_WAITING + 2));
        let mut attendance = outrun.note(ROOM, &ids[0]).expect("the first one");
        ids.iter().for_each(|id| attendance.note(id));
        assert_eq!(Vec::from(attendance.take().expect("events")), ids[2..]);
    }
}
