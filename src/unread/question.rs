//! One question: a user, a room, up to where.
//!
//! Owns: the reads of the room's rows that both ways of counting need. Does not own: what they come to.

use plop_db::{Direction, KeyRange, Position, ReadError, Snapshot};
use plop_rooms::RoomView;
use plop_rooms::schema::{MentionRow, Mentions, Timeline, TimelineRow, Totals};
use ruma::UserId;

use crate::marks::Marks;

/// Unread mentions that are counted, in the main timeline and in threads.
const MAX_MENTIONS: usize = 10_000;

/// What is asked.
pub struct Question<'a> {
    pub snapshot: &'a Snapshot,
    pub view: &'a RoomView,
    pub user: &'a UserId,
    pub marks: Marks,
    /// The last position that counts.
    pub up_to: Position,
}

impl Question<'_> {
    /// The totals of the live stream up to where the question goes.
    pub async fn totals_now(&self) -> Result<Totals, ReadError> {
        if self.view.position <= self.up_to {
            return Ok(self.view.totals);
        }
        self.totals_at(self.up_to).await
    }

    /// The totals of the live stream up to a position.
    pub async fn totals_at(&self, position: Position) -> Result<Totals, ReadError> {
        let rows = self.stream_to(position, 1).await?;
        Ok(rows.first().map(|(_, row)| row.totals).unwrap_or_default())
    }

    /// The last rows of the live stream up to a position, newest first.
    pub async fn stream_to(
        &self,
        position: Position,
        limit: usize,
    ) -> Result<Vec<(Position, TimelineRow)>, ReadError> {
        let room = self.view.number;
        let range = KeyRange::<Timeline>::prefix(&room).to(&(room, position));
        let page = self.snapshot.scan(range, Direction::Backward, limit).await?;
        Ok(page.rows.into_iter().map(|((_, position), row)| (position, row)).collect())
    }

    /// The events that mention the user after a position, in the main timeline or in threads.
    pub async fn mentions(
        &self,
        in_threads: bool,
        after: Position,
    ) -> Result<Vec<(Position, MentionRow)>, ReadError> {
        let part = (self.view.number, self.user.to_owned(), in_threads);
        let bound = |position| (part.0, part.1.clone(), part.2, position);
        let range = KeyRange::<Mentions>::prefix(&part).after(&bound(after)).to(&bound(self.up_to));
        let page = self.snapshot.scan(range, Direction::Backward, MAX_MENTIONS).await?;
        Ok(page.rows.into_iter().map(|((.., position), row)| (position, row)).collect())
    }
}
