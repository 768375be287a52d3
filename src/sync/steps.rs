//! Going through the changes of a stream page by page.
//!
//! Owns: [`Steps`]: where the next page begins, and when there is none. Does not own: reading it.
//!
//! Invariants: each page begins after the last change of the one before, so a stream has an end however it moves.

use plop_db::Position;

/// Changes that are read at once.
pub const PAGE: usize = 500;

/// The pages between two positions.
pub struct Steps {
    after: Option<Position>,
    to: Position,
}

impl Steps {
    pub fn new(since: Position, to: Position) -> Self {
        Self { after: Some(since), to }
    }

    /// After which position the next page begins; `None` after the last one.
    pub fn next(&self) -> Option<Position> {
        self.after
    }

    /// A page was read that has changes at these positions.
    pub fn took(&mut self, positions: impl Iterator<Item = Position>, more: bool) {
        // A row that moved after the end is that of another answer, and says nothing of where this page ends.
        let last = positions.filter(|position| *position <= self.to).max();
        self.after = last.filter(|last| more && self.after.is_some_and(|after| *last > after));
    }
}
