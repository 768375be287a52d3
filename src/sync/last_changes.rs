//! When rooms changed last, for clients who come from before what is remembered: after a restart all of them do.
//!
//! Owns: a bounded memory of it, filled as it is asked for. Does not own: what changed since this process began ([`crate::changes`]).
//!
//! Invariants: a room is asked about once, however many clients have it: what is known goes on being right as long as the log of changes knows of no
//! newer one.

use std::marker::PhantomData;

use plop_db::{Direction, KeyRange, Keyspace, Position, ReadError, Snapshot};
use plop_state_store::RoomNumber;

use crate::as_of::AsOf;
use crate::changes::Log;
use crate::turns::take_turns;

/// Bytes of what is remembered of rooms, about, and those of a room.
const CACHE_BYTES: u64 = 8 << 20;
const ROOM_BYTES: u64 = 80;
/// Rooms that are read before others get a turn.
const ROOMS_AT_ONCE: usize = 32;

/// The last changes in a stream of rooms.
pub struct LastChanges<K> {
    /// The last row of each room.
    known: AsOf<RoomNumber, Option<Position>>,
    stream: PhantomData<fn() -> K>,
}

impl<K> Default for LastChanges<K> {
    fn default() -> Self {
        Self { known: AsOf::new(CACHE_BYTES, ROOM_BYTES, |_| ROOM_BYTES), stream: PhantomData }
    }
}

impl<K: Keyspace<Key = (RoomNumber, Position)>> LastChanges<K> {
    /// Sorts rooms into those that changed after a position, as far as that is known, and those that must be asked about.
    pub fn sort<'r>(
        &self,
        log: &Log<RoomNumber>,
        rooms: impl Iterator<Item = &'r RoomNumber>,
        after: Position,
    ) -> (Vec<RoomNumber>, Vec<RoomNumber>) {
        let (mut changed, mut unknown) = (Vec::new(), Vec::new());
        for room in rooms {
            match self.last(log, *room) {
                None => unknown.push(*room),
                Some(last) if last > Some(after) => changed.push(*room),
                Some(_) => {}
            }
        }
        (changed, unknown)
    }

    /// Those of some rooms that changed after a position.
    pub async fn ask(
        &self,
        snapshot: &Snapshot,
        rooms: Vec<RoomNumber>,
        after: Position,
    ) -> Result<Vec<RoomNumber>, ReadError> {
        let mut changed = Vec::new();
        for (index, room) in rooms.into_iter().enumerate() {
            take_turns(index, ROOMS_AT_ONCE).await;
            if self.read(snapshot, room).await? > Some(after) {
                changed.push(room);
            }
        }
        Ok(changed)
    }

    /// Where a room changed last; `None`: it must be asked about ([`LastChanges::read`]).
    pub fn last(&self, log: &Log<RoomNumber>, room: RoomNumber) -> Option<Option<Position>> {
        if let Some(place) = log.place(&room) {
            return Some(Some(place));
        }
        let (as_of, row) = self.known.known(&room)?;
        log.reaches_back_to(as_of).then_some(row)
    }

    /// Where a room changed last, as the snapshot has it.
    pub async fn read(&self, snapshot: &Snapshot, room: RoomNumber) -> Result<Option<Position>, ReadError> {
        let page = snapshot.scan(KeyRange::<K>::prefix(&room), Direction::Backward, 1).await?;
        let row = page.rows.first().map(|((_, position), _)| *position);
        // The snapshot may have newer rows than its position: the log knows of these, too.
        self.known.insert(room, snapshot.position(), row);
        Ok(row)
    }
}
