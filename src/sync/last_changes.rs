//! When rooms changed last, for clients who come from before what is remembered: after a restart all of them do.
//!
//! Owns: a bounded memory of it, filled as it is asked for. Does not own: what changed since this process began ([`crate::changes`]).
//!
//! Invariants: a room is asked about once, however many clients have it: what is known goes on being right as long as the log of changes knows of no
//! newer one.

use std::marker::PhantomData;

use plop_db::{Direction, KeyRange, Keyspace, Position, ReadError, Snapshot};
use plop_state_store::RoomNumber;
use quick_cache::sync::Cache;

use crate::changes::Log;
use crate::turns::take_turns;

/// Rooms that are remembered.
const CACHED: usize = 100_000;
/// Rooms that are read before others get a turn.
const ROOMS_AT_ONCE: usize = 32;

/// The last row of a room, as of a position.
#[derive(Clone, Copy)]
struct Last {
    row: Option<Position>,
    as_of: Position,
}

/// The last changes in a stream of rooms.
pub struct LastChanges<K> {
    known: Cache<RoomNumber, Last>,
    stream: PhantomData<fn() -> K>,
}

impl<K> Default for LastChanges<K> {
    fn default() -> Self {
        Self { known: Cache::new(CACHED), stream: PhantomData }
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
            match self.known.get(room).filter(|known| log.reaches_back_to(known.as_of)) {
                None => unknown.push(*room),
                Some(known) => {
                    if log.may_have_changed(room, known.as_of) || known.row > Some(after) {
                        changed.push(*room);
                    }
                }
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
        let known = self.known.get(&room).filter(|known| log.reaches_back_to(known.as_of))?;
        Some(known.row)
    }

    /// Where a room changed last, as the snapshot has it.
    pub async fn read(&self, snapshot: &Snapshot, room: RoomNumber) -> Result<Option<Position>, ReadError> {
        let page = snapshot.scan(KeyRange::<K>::prefix(&room), Direction::Backward, 1).await?;
        let row = page.rows.first().map(|((_, position), _)| *position);
        // The snapshot may have newer rows than its position: the log knows of these, too.
        self.known.insert(room, Last { row, as_of: snapshot.position() });
        Ok(row)
    }
}
