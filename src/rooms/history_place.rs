//! Graph order: where an event stands in the history of its room.
//!
//! Owns: the type and the distances. Does not own: which event gets which place (the writer for live events, ingest for history).
//!
//! Invariants: the claimed `depth` has no part in it. Live events rise in steps of one; below an event whose previous events
//! are missing there is room for [`GAP`] more, so history is filled in downwards without moving anything.

use plop_db::transparent;

/// A place in graph order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HistoryPlace(u64);

transparent! { HistoryPlace }

/// Places left free where history is missing: more events than a room will ever have between two that we know.
const GAP: u64 = 1 << 40;

impl HistoryPlace {
    /// Where the first event stands that a server sees of a room. In the middle: history may lie below.
    pub const FIRST: HistoryPlace = HistoryPlace(1 << 62);

    /// The lower end: below everything.
    pub const LOWEST: HistoryPlace = HistoryPlace(0);

    /// The place right above.
    pub fn above(self) -> HistoryPlace {
        HistoryPlace(self.0.saturating_add(1))
    }

    /// The place right below, or `None` at the lower end.
    pub fn below(self) -> Option<HistoryPlace> {
        self.0.checked_sub(1).map(HistoryPlace)
    }

    /// A place above with room for missing events in between.
    pub fn above_gap(self) -> HistoryPlace {
        HistoryPlace(self.0.saturating_add(GAP))
    }
}
