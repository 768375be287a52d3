//! Up to where a user has read a room.
//!
//! Owns: putting together joins, receipts and what the user sent. Invariants: marks only move forward, except that a lower bound on rows
//! ([`MAX_ROWS`]) may leave out some of a user's many threads, which then count as unread.

use std::collections::BTreeMap;

use plop_db::{Direction, KeyRange, Position, ReadError, Snapshot};
use plop_ephemeral::{Thread, receipts};
use plop_rooms::schema::{JoinedSince, LastSent};
use plop_state_store::RoomNumber;
use ruma::{EventId, OwnedEventId, UserId};

/// Receipts, and threads sent to, that are looked at.
const MAX_ROWS: usize = 4_096;

/// The marks of a user in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marks {
    /// Up to here everything is read, in whatever part.
    pub room: Position,
    /// Up to here the main timeline is read; at or after `room`.
    pub main: Position,
    /// Threads that are read further than `room`.
    threads: BTreeMap<OwnedEventId, Position>,
}

impl Marks {
    /// Reads them. They may be newer than the snapshot's position: whoever read on meanwhile has read.
    pub async fn read(snapshot: &Snapshot, room: RoomNumber, user: &UserId) -> Result<Self, ReadError> {
        let joined = snapshot.get::<JoinedSince>(&(room, user.to_owned())).await?;
        let sent = KeyRange::<LastSent>::prefix(&(room, user.to_owned()));
        let sent = snapshot.scan(sent, Direction::Forward, MAX_ROWS).await?;
        let receipts = receipts::own(snapshot, room, user, MAX_ROWS).await?.receipts;
        let mut marks =
            Self { room: joined.unwrap_or(Position::START), main: Position::START, threads: BTreeMap::new() };
        for ((_, _, thread), position) in sent.rows {
            marks.advance(thread.map_or(Thread::Main, Thread::Root), position);
        }
        for receipt in receipts {
            marks.advance(receipt.thread, receipt.row.arrival);
        }
        marks.main = marks.main.max(marks.room);
        let room = marks.room;
        marks.threads.retain(|_, position| *position > room);
        Ok(marks)
    }

    fn advance(&mut self, thread: Thread, to: Position) {
        let mark = match thread {
            Thread::Unthreaded => &mut self.room,
            Thread::Main => &mut self.main,
            Thread::Root(root) => self.threads.entry(root).or_insert(Position::START),
        };
        *mark = to.max(*mark);
    }

    /// Up to where a thread is read.
    pub fn thread(&self, root: &EventId) -> Position {
        self.threads.get(root).copied().unwrap_or(self.room)
    }

    /// Whether an event of the main timeline or a thread is unread.
    pub fn is_unread(&self, thread: Option<&OwnedEventId>, arrival: Position) -> bool {
        arrival > thread.map_or(self.main, |root| self.thread(root))
    }

    /// Whether all threads are read up to the same place.
    pub fn know_no_thread(&self) -> bool {
        self.threads.is_empty()
    }
}
