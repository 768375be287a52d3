//! What the streams have that the index does not.
//!
//! Owns: reading it in pieces of a bounded size, in an order that can be resumed. Does not own: writing it ([`crate::following`]).
//!
//! Invariants: a pass goes over rooms in the order of their numbers and leads all of them to one position. A piece is wholly described by the progress before and
//! after it: done again from the same progress it is the same, but for what was redacted meanwhile, which has its place after the target. A damaged event is
//! left out and keeps nothing else from the index.

use std::collections::BTreeSet;
use std::sync::Arc;

use plop_db::{Direction, KeyRange, Pages, Position, ReadError, Snapshot};
use plop_rooms::schema::{AppliedRedactions, RoomRecords, RoomRow, Timeline, TimelineRow};
use plop_rooms::{EventReadError, RoomEvent, Rooms};
use plop_state::Rules;
use plop_state_store::{EventNumber, RoomNumber};
use ruma::RoomVersionId;

use crate::entry::Entry;
use crate::index::Change;
use crate::progress::{PassRow, Progress};

/// Events of one piece; with texts of at most 64 KiB each, what is in memory at once.
const EVENTS: usize = 200;
/// Rooms of one piece.
const ROOMS: usize = 500;
/// Redactions that are read at once.
const REDACTIONS: usize = 1_000;

/// The rooms that a pass goes over.
#[derive(Debug)]
pub enum Visit {
    All,
    These(BTreeSet<RoomNumber>),
}

/// A piece of a pass.
pub struct Piece {
    pub changes: Vec<Change>,
    /// How far the index goes with it.
    pub progress: Progress,
}

/// Reads the next piece of a pass; the progress has one.
pub async fn next_piece(
    rooms: &Rooms,
    progress: &Progress,
    pass: PassRow,
    visit: &Visit,
) -> Result<Piece, ReadError> {
    let snapshot = rooms.db().snapshot();
    let mut piece = Piece { changes: Vec::new(), progress: progress.clone() };
    let (mut at, mut events_left) = (pass, EVENTS);
    for _ in 0..ROOMS {
        let Some((room, row)) = next_room(&snapshot, at.room, visit).await? else {
            piece.progress.done = pass.target;
            piece.progress.pass = None;
            return Ok(piece);
        };
        if room != at.room {
            at = PassRow { room, reached: progress.done, ..at };
        }
        let version = RoomVersionId::try_from(row.version.as_str()).ok();
        // The events of a version that is not known here cannot be read.
        if let Some(rules) = version.as_ref().and_then(plop_state::rules) {
            let rows =
                KeyRange::<Timeline>::prefix(&room).after(&(room, at.reached)).to(&(room, pass.target));
            let page = snapshot.scan(rows, Direction::Forward, events_left).await?;
            events_left -= page.rows.len();
            if let Some(((_, last), _)) = page.rows.last() {
                at.reached = *last;
            }
            put(&mut piece.changes, rooms, &snapshot, (room, rules), &page.rows).await?;
            if page.more {
                break;
            }
            delete_redacted(&mut piece.changes, &snapshot, room, (progress.done, pass.target)).await?;
        }
        at = PassRow { room: RoomNumber(room.0.saturating_add(1)), reached: progress.done, ..at };
        if events_left == 0 {
            break;
        }
    }
    piece.progress.pass = Some(at);
    Ok(piece)
}

/// The first room at or after a number that a pass visits.
async fn next_room(
    snapshot: &Snapshot,
    from: RoomNumber,
    visit: &Visit,
) -> Result<Option<(RoomNumber, RoomRow)>, ReadError> {
    match visit {
        Visit::All => {
            let rooms = KeyRange::<RoomRecords>::all().from(&from);
            Ok(snapshot.scan(rooms, Direction::Forward, 1).await?.rows.into_iter().next())
        }
        Visit::These(rooms) => {
            for room in rooms.range(from..) {
                // One that is gone has nothing.
                if let Some(row) = snapshot.get::<RoomRecords>(room).await? {
                    return Ok(Some((*room, row)));
                }
            }
            Ok(None)
        }
    }
}

async fn put(
    changes: &mut Vec<Change>,
    rooms: &Rooms,
    snapshot: &Snapshot,
    (room, rules): (RoomNumber, &Rules),
    rows: &[((RoomNumber, Position), TimelineRow)],
) -> Result<(), ReadError> {
    let numbers: Vec<EventNumber> = rows.iter().map(|(_, row)| row.event).collect();
    let events: Vec<Option<Arc<RoomEvent>>> =
        match rooms.events().get_many(snapshot, room, rules, &numbers).await {
            Ok(events) => events.into_iter().map(Some).collect(),
            Err(EventReadError::Read(error)) => return Err(error),
            Err(_) => one_by_one(rooms, snapshot, (room, rules), &numbers).await?,
        };
    for (((_, position), _), event) in rows.iter().zip(events) {
        changes.extend(event.and_then(|event| Entry::of(room, *position, &event)).map(Change::Put));
    }
    Ok(())
}

/// The events that can be read.
async fn one_by_one(
    rooms: &Rooms,
    snapshot: &Snapshot,
    (room, rules): (RoomNumber, &Rules),
    numbers: &[EventNumber],
) -> Result<Vec<Option<Arc<RoomEvent>>>, ReadError> {
    let mut events = Vec::with_capacity(numbers.len());
    for number in numbers {
        events.push(match rooms.events().get(snapshot, room, rules, *number).await {
            Ok(event) => Some(event),
            Err(EventReadError::Read(error)) => return Err(error),
            Err(error) => {
                tracing::warn!(room = room.0, %error, "an event is left out of the search index");
                None
            }
        });
    }
    Ok(events)
}

/// Takes out what was redacted between two positions.
async fn delete_redacted(
    changes: &mut Vec<Change>,
    snapshot: &Snapshot,
    room: RoomNumber,
    (after, to): (Position, Position),
) -> Result<(), ReadError> {
    let rows = KeyRange::prefix(&room).after(&(room, after)).to(&(room, to));
    let mut pages = Pages::<AppliedRedactions>::new(rows, REDACTIONS);
    while let Some(page) = pages.next(snapshot).await? {
        changes.extend(page.into_iter().map(|((room, _, event), ())| Change::Delete(room, event)));
    }
    Ok(())
}
