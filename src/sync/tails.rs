//! The ends of the live streams, in memory: what many readers get is read once.
//!
//! Owns: [`Tail`], the newest rows of a room's live stream, and a bounded cache of them. Does not own: the events, which have a cache of their own, and so
//! are always given in their newest form.
//!
//! Invariants: a tail has every row of its room from its first one up to the position that it stands at. It is brought up to date before it is given
//! out.

use std::sync::Arc;

use plop_db::{Direction, KeyRange, Position, ReadError, Snapshot};
use plop_rooms::HistoryPlace;
use plop_rooms::schema::{Timeline, TimelineRow};
use plop_state_store::tree::Root;
use plop_state_store::{EventNumber, RoomNumber};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

/// Bytes of rows that are kept, about.
const CACHE_BYTES: u64 = 16 << 20;
/// Rows of a room that are read first.
const FIRST_ROWS: usize = 24;
/// Rows of a room that are kept.
const MAX_ROWS: usize = 96;

/// A row of a live stream.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    pub position: Position,
    pub event: EventNumber,
    /// The room's state after it.
    pub state: Root,
    /// Above every live event so far, in graph order.
    pub top: HistoryPlace,
}

impl Row {
    pub fn new(position: Position, row: &TimelineRow) -> Self {
        Self { position, event: row.event, state: row.state, top: row.top }
    }
}

/// The newest rows of a room, oldest first.
#[derive(Debug)]
pub struct Tail {
    to: Position,
    rows: Vec<Row>,
    /// Whether the first row is the room's first.
    complete: bool,
}

impl Tail {
    /// The rows up to a position, newest first.
    pub fn rows_to(&self, to: Position) -> impl Iterator<Item = &Row> {
        let end = self.rows.partition_point(|row| row.position <= to);
        self.rows.iter().take(end).rev()
    }

    /// The last row up to a position, if the tail reaches back so far.
    pub fn row_at(&self, position: Position) -> Option<Row> {
        self.rows_to(position).next().copied()
    }

    /// From where on it has everything; `None`: from the beginning of the room.
    pub fn start(&self) -> Option<Position> {
        self.rows.first().map(|row| row.position).filter(|_| !self.complete)
    }
}

#[derive(Clone)]
struct ByRows;

impl Weighter<RoomNumber, Arc<Tail>> for ByRows {
    fn weight(&self, _: &RoomNumber, tail: &Arc<Tail>) -> u64 {
        128 + (size_of::<Row>() * tail.rows.len()) as u64
    }
}

/// The tails of rooms.
pub struct Tails(Cache<RoomNumber, Arc<Tail>, ByRows>);

impl Default for Tails {
    fn default() -> Self {
        const USUAL_TAIL: u64 = 1024;
        let rooms = usize::try_from(CACHE_BYTES / USUAL_TAIL).unwrap_or(usize::MAX);
        Self(Cache::with_weighter(rooms, CACHE_BYTES, ByRows))
    }
}

impl Tails {
    /// The tail of a room, with every row up to `to`. `changed_after` says whether the room may have changed after a position.
    pub async fn of(
        &self,
        snapshot: &Snapshot,
        room: RoomNumber,
        to: Position,
        changed_after: impl FnOnce(Position) -> bool,
    ) -> Result<Arc<Tail>, ReadError> {
        let known = self.0.get(&room);
        if let Some(tail) = &known
            && (tail.to >= to || !changed_after(tail.to))
        {
            return Ok(Arc::clone(tail));
        }
        let tail = Arc::new(match known {
            Some(tail) => extended(snapshot, room, &tail).await?,
            None => first(snapshot, room).await?,
        });
        self.0.insert(room, Arc::clone(&tail));
        Ok(tail)
    }
}

async fn first(snapshot: &Snapshot, room: RoomNumber) -> Result<Tail, ReadError> {
    let to = snapshot.position();
    let range = KeyRange::<Timeline>::prefix(&room).to(&(room, to));
    let page = snapshot.scan(range, Direction::Backward, FIRST_ROWS).await?;
    let rows = page.rows.iter().rev().map(|((_, position), row)| Row::new(*position, row));
    Ok(Tail { to, rows: rows.collect(), complete: !page.more })
}

/// A tail with what came since. Where much came, it begins anew.
async fn extended(snapshot: &Snapshot, room: RoomNumber, tail: &Tail) -> Result<Tail, ReadError> {
    let to = snapshot.position();
    let range = KeyRange::<Timeline>::prefix(&room).after(&(room, tail.to)).to(&(room, to));
    let page = snapshot.scan(range, Direction::Forward, MAX_ROWS).await?;
    if page.more {
        return first(snapshot, room).await;
    }
    let new = page.rows.iter().map(|((_, position), row)| Row::new(*position, row));
    let mut rows: Vec<Row> = tail.rows.iter().copied().chain(new).collect();
    let surplus = rows.len().saturating_sub(MAX_ROWS);
    rows.drain(..surplus);
    Ok(Tail { to, rows, complete: tail.complete && surplus == 0 })
}
