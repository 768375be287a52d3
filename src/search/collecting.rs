//! The best documents of a query, in the order that was asked for.
//!
//! Owns: the orders, and collecting the first documents behind a place. Does not own: which documents match, what they are.
//!
//! Invariants: memory follows the number that is wanted, however deep the page and however many match. Documents that are equally good come in the order of
//! the live stream, so no two have the same key.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use plop_state_store::{EventNumber, RoomNumber};
use tantivy::collector::{Collector, SegmentCollector};
use tantivy::columnar::Column;
use tantivy::{DocId, Score, SegmentOrdinal, SegmentReader};

use crate::fields::{COMMIT, EVENT, INDEX, ROOM};
use crate::query::Order;

/// Where a document stands among the results: the smallest comes first.
pub type SortKey = (u64, u64, u64);

/// A document that matched.
#[derive(Debug, Clone, Copy)]
pub struct Collected {
    pub key: SortKey,
    pub room: RoomNumber,
    pub event: EventNumber,
    pub score: f32,
}

impl PartialEq for Collected {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Collected {}

impl PartialOrd for Collected {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Collected {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }
}

/// The first documents behind a place.
#[derive(Debug, Clone, Copy)]
pub struct First {
    pub order: Order,
    pub behind: Option<SortKey>,
    pub wanted: usize,
}

/// The same in one segment.
pub struct FirstInSegment {
    first: First,
    /// The last one on top.
    heap: BinaryHeap<Collected>,
    room: Column<u64>,
    event: Column<u64>,
    commit: Column<u64>,
    index: Column<u64>,
}

impl Collector for First {
    type Fruit = Vec<Collected>;
    type Child = FirstInSegment;

    fn for_segment(&self, _: SegmentOrdinal, segment: &SegmentReader) -> tantivy::Result<FirstInSegment> {
        let fields = segment.fast_fields();
        let (room, event) = (fields.u64(ROOM)?, fields.u64(EVENT)?);
        let (commit, index) = (fields.u64(COMMIT)?, fields.u64(INDEX)?);
        Ok(FirstInSegment { first: *self, heap: BinaryHeap::new(), room, event, commit, index })
    }

    fn requires_scoring(&self) -> bool {
        true
    }

    fn merge_fruits(&self, found: Vec<Vec<Collected>>) -> tantivy::Result<Vec<Collected>> {
        let mut found = found.concat();
        found.sort_unstable();
        found.truncate(self.wanted);
        Ok(found)
    }
}

impl SegmentCollector for FirstInSegment {
    type Fruit = Vec<Collected>;

    fn collect(&mut self, doc: DocId, score: Score) {
        let commit = self.commit.first(doc).unwrap_or_default();
        let index = self.index.first(doc).unwrap_or_default();
        let key = sort_key(self.first.order, score, (commit, index));
        if self.first.behind.is_some_and(|behind| key <= behind) {
            return;
        }
        let is_full = self.heap.len() >= self.first.wanted;
        if is_full && self.heap.peek().is_none_or(|last| last.key <= key) {
            return;
        }
        if is_full {
            self.heap.pop();
        }
        let room = RoomNumber(self.room.first(doc).unwrap_or_default());
        let event = EventNumber(self.event.first(doc).unwrap_or_default());
        self.heap.push(Collected { key, room, event, score });
    }

    fn harvest(self) -> Vec<Collected> {
        self.heap.into_vec()
    }
}

/// Better ones first, or newer ones. Equally good ones in the order in which they were sent.
fn sort_key(order: Order, score: f32, (commit, index): (u64, u64)) -> SortKey {
    match order {
        // The bits of floats that are not negative are ordered as they are.
        Order::Rank => (u64::from(u32::MAX - score.max(0.0).to_bits()), commit, index),
        Order::Recent => (u64::MAX - commit, u64::MAX - index, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_the_order_of_the_results() {
        let by = |order| {
            let mut all = vec![(0.5, (1, 0)), (2.0, (1, 1)), (2.0, (1, 2)), (0.0, (3, 0))];
            all.sort_by_key(|(score, place)| sort_key(order, *score, *place));
            all.into_iter().map(|(_, place)| place).collect::<Vec<_>>()
        };
        assert_eq!(by(Order::Rank), [(1, 1), (1, 2), (1, 0), (3, 0)]);
        assert_eq!(by(Order::Recent), [(3, 0), (1, 2), (1, 1), (1, 0)]);
    }
}
