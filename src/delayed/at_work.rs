//! Events that are being sent, and those that wait for their turn.
//!
//! Owns: which is next. Does not own: where they come from, what sending is ([`crate::due`]).
//!
//! Invariants: those of one room go one after the other, in the order in which they came. [`ROOMS_AT_ONCE`] rooms have a turn, of one event
//! each, and the room that waited for longest gets the next one: so a room whose turn does not end keeps nothing but its place. At most
//! [`MOST`] are known.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use ruma::OwnedRoomId;

/// Rooms in which events are sent at the same time.
pub const ROOMS_AT_ONCE: usize = 16;
/// Events that are known; further ones wait on disk.
pub const MOST: usize = 10_000;

/// What ends with an event: its room, its name, what came of it.
type Sending<'a, E> = BoxFuture<'a, (OwnedRoomId, String, Result<(), E>)>;

/// The events that are known.
pub struct AtWork<'a, E> {
    /// Those that wait or are being sent.
    known: BTreeSet<String>,
    /// Those that wait, of each room that has a turn or waits for one.
    waiting: BTreeMap<OwnedRoomId, VecDeque<String>>,
    /// The rooms that wait for one.
    rooms: VecDeque<OwnedRoomId>,
    sending: FuturesUnordered<Sending<'a, E>>,
}

impl<E> Default for AtWork<'_, E> {
    fn default() -> Self {
        let (known, waiting, rooms) = Default::default();
        Self { known, waiting, rooms, sending: FuturesUnordered::new() }
    }
}

impl<'a, E: Send + 'a> AtWork<'a, E> {
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Whether it is worth looking for more after there was no place.
    pub fn has_place(&self) -> bool {
        self.known.len() <= MOST / 2
    }

    pub fn is_full(&self) -> bool {
        self.known.len() >= MOST
    }

    pub fn knows(&self, id: &str) -> bool {
        self.known.contains(id)
    }

    /// One more of a room, behind those that it has here.
    pub fn add(&mut self, room: OwnedRoomId, id: String) {
        if !self.known.insert(id.clone()) {
            return;
        }
        let waiting = match self.waiting.entry(room) {
            Entry::Occupied(waiting) => waiting.into_mut(),
            Entry::Vacant(vacant) => {
                self.rooms.push_back(vacant.key().clone());
                vacant.insert(VecDeque::new())
            }
        };
        waiting.push_back(id);
    }

    /// Gives turns to rooms, as far as there are any.
    pub fn begin<F: Future<Output = Result<(), E>> + Send + 'a>(&mut self, send: impl Fn(String) -> F) {
        while self.sending.len() < ROOMS_AT_ONCE {
            let Some(room) = self.rooms.pop_front() else { return };
            let Some(id) = self.waiting.get_mut(&room).and_then(VecDeque::pop_front) else { continue };
            let sent = send(id.clone());
            self.sending.push(Box::pin(async move { (room, id, sent.await) }));
        }
    }

    /// Waits until one is done with; `None` if none is being sent. May be dropped at any time.
    pub async fn next(&mut self) -> Option<Result<(), E>> {
        let (room, id, outcome) = self.sending.next().await?;
        self.known.remove(&id);
        if self.waiting.get(&room).is_some_and(|waiting| !waiting.is_empty()) {
            self.rooms.push_back(room);
        } else {
            self.waiting.remove(&room);
        }
        Some(outcome)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use futures_util::FutureExt as _;
    use tokio::sync::Semaphore;

    use super::*;

    fn room(name: &str) -> OwnedRoomId {
        OwnedRoomId::try_from(format!("!{name}:b.c")).expect("a room")
    }

    /// The room is the first word of a name.
    fn known<'a>(ids: &[&str]) -> AtWork<'a, ()> {
        let mut at_work = AtWork::default();
        for id in ids {
            at_work.add(room(id.split(' ').next().expect("a word")), (*id).to_owned());
        }
        at_work
    }

    #[test]
    fn a_room_that_is_held_holds_up_no_other() {
        let ids: Vec<String> = (0..5).map(|number| format!("held {number}")).collect();
        let others: Vec<String> = (0..100).map(|number| format!("r{} {number}", number % 20)).collect();
        let all: Vec<&str> = ids.iter().chain(&others).map(String::as_str).collect();
        let mut at_work = known(&all);
        let (held, sent) = (Arc::new(Semaphore::new(0)), Arc::new(Mutex::new(Vec::new())));
        let send = |id: String| {
            let (held, sent) = (Arc::clone(&held), Arc::clone(&sent));
            async move {
                if id.starts_with("held") {
                    held.acquire().await.expect("open").forget();
                }
                sent.lock().expect("whole").push(id);
                Ok(())
            }
        };
        let mut pass = || loop {
            at_work.begin(send);
            if at_work.next().now_or_never().flatten().is_none() {
                return (sent.lock().expect("whole").split_off(0), at_work.is_empty());
            }
        };
        let (first, is_empty) = pass();
        assert!(!is_empty);
        for room in 0..20 {
            let of_room: Vec<_> = first.iter().filter(|id| id.starts_with(&format!("r{room} "))).collect();
            let expected: Vec<String> = (0..5).map(|turn| format!("r{room} {}", room + 20 * turn)).collect();
            assert_eq!(of_room, expected.iter().collect::<Vec<_>>(), "in their order");
        }
        assert_eq!(first.len(), 100);
        held.add_permits(5);
        assert_eq!(pass(), (ids, true));
    }

    #[test]
    fn one_that_is_known_is_not_sent_twice() {
        let mut at_work = known(&["a 1", "a 1", "b 1"]);
        let count = |at_work: &mut AtWork<'_, ()>| {
            let mut count = 0;
            loop {
                at_work.begin(|_| async { Err(()) });
                match at_work.next().now_or_never().flatten() {
                    Some(outcome) => assert_eq!(outcome, Err(())),
                    None => return count,
                }
                count += 1;
            }
        };
        assert!(at_work.knows("a 1") && !at_work.knows("a 2"));
        assert_eq!((count(&mut at_work), count(&mut at_work)), (2, 0));
        at_work.add(room("a"), "a 1".to_owned());
        assert_eq!(count(&mut at_work), 1, "it has come again");
    }
}
