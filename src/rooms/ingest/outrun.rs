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

impl Outrun {
    /// Notes an event. True where it is the first one of its room: whoever notes it has to see to the room from now on.
    pub fn note(&self, room: RoomNumber, event: &EventId) -> bool {
        let mut rooms = self.lock();
        let is_first = !rooms.contains_key(&room);
        let events = rooms.entry(room).or_default();
        if !events.iter().any(|noted| noted == event) {
            events.push_back(event.to_owned());
        }
        // Most of those that are too many have their place by now, or were given up; another one waits for the next start.
        events.truncate(MAX_WAITING);
        is_first
    }

    /// Takes the events of a room, to try them. `None`: there are none, and nobody sees to the room any more.
    pub fn take(&self, room: RoomNumber) -> Option<VecDeque<OwnedEventId>> {
        let mut rooms = self.lock();
        let events = rooms.get_mut(&room).map(std::mem::take).filter(|events| !events.is_empty());
        if events.is_none() {
            rooms.remove(&room);
        }
        events
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RoomNumber, VecDeque<OwnedEventId>>> {
        // The map is whole at every panic point.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use plop_state_store::RoomNumber;
    use ruma::EventId;

    use super::{MAX_WAITING, Outrun};

    #[test]
    fn one_sees_to_a_room_until_it_has_none_left() {
        let (outrun, room) = (Outrun::default(), RoomNumber(1));
        let ids: Vec<_> = (0..=MAX_WAITING)
            .map(|number| EventId::parse(format!("${number:a>43}")).expect("an event id"))
            .collect();
        assert!(outrun.note(room, &ids[0]));
        assert!(!outrun.note(room, &ids[0]) && !outrun.note(room, &ids[1]));
        assert!(outrun.note(RoomNumber(2), &ids[0]), "another room is another one's");
        assert_eq!(Vec::from(outrun.take(room).expect("two events")), ids[..2]);
        assert!(!outrun.note(room, &ids[2]), "they are being tried");
        assert_eq!(Vec::from(outrun.take(room).expect("one event")), ids[2..3]);
        assert_eq!(outrun.take(room), None);
        assert_eq!(ids.iter().filter(|id| outrun.note(room, id)).count(), 1, "somebody else has to begin");
        assert_eq!(outrun.take(room).expect("events").len(), MAX_WAITING);
    }
}
