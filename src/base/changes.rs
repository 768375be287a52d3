//! What changed last when, in bounded memory.
//!
//! Owns: [`ChangeLog`], the last change of each subject of a stream. Does not own: what the subjects and the places are, who feeds it, who waits.
//!
//! Invariants: places rise from one record to the next. A subject has one entry, moved to its newest place; at most `capacity` subjects are
//! remembered. A question about what is forgotten, or was before the log, is answered "perhaps".

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeBounds;

/// The last change of each subject `K`, by its place `P` in a stream.
pub struct ChangeLog<K, P> {
    /// Changes at or below it may be unknown.
    floor: P,
    capacity: usize,
    places: BTreeMap<K, P>,
    order: BTreeSet<(P, K)>,
}

impl<K: Ord + Clone, P: Ord + Copy> ChangeLog<K, P> {
    /// A log that knows nothing of what was up to a place.
    pub fn new(floor: P, capacity: usize) -> Self {
        Self { floor, capacity, places: BTreeMap::new(), order: BTreeSet::new() }
    }

    /// The subject changed at a place that is not below the one before.
    pub fn record(&mut self, subject: &K, place: P) {
        match self.places.get_mut(subject) {
            Some(last) if *last == place => return,
            Some(last) => {
                self.order.remove(&(*last, subject.clone()));
                *last = place;
            }
            None => {
                self.places.insert(subject.clone(), place);
            }
        }
        self.order.insert((place, subject.clone()));
        if self.order.len() > self.capacity
            && let Some((place, subject)) = self.order.pop_first()
        {
            self.places.remove(&subject);
            self.floor = place;
        }
    }

    /// Whether every change after a place is known.
    pub fn reaches_back_to(&self, place: P) -> bool {
        place >= self.floor
    }

    /// Whether the subject may have changed after a place.
    pub fn may_have_changed(&self, subject: &K, after: P) -> bool {
        !self.reaches_back_to(after) || self.places.get(subject).is_some_and(|place| *place > after)
    }

    /// Where the subject changed last, if that is remembered: then it is its last change of all.
    pub fn place(&self, subject: &K) -> Option<P> {
        self.places.get(subject).copied()
    }

    /// The subjects that changed after a place, and where, newest change first; `None` when that is not known.
    pub fn since(&self, after: P) -> Option<impl Iterator<Item = (P, &K)>> {
        let newer = self.order.iter().rev().take_while(move |(place, _)| *place > after);
        self.reaches_back_to(after).then(|| newer.map(|(place, subject)| (*place, subject)))
    }

    /// The subjects of a range that changed after a place; `None` when that is not known. The cost follows what is remembered of the range.
    pub fn changed_in(&self, range: impl RangeBounds<K>, after: P) -> Option<Vec<K>> {
        let changed = self.places.range(range).filter(|(_, place)| **place > after);
        self.reaches_back_to(after).then(|| changed.map(|(subject, _)| subject.clone()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn since<'a>(log: &'a ChangeLog<&'static str, u64>, after: u64) -> Option<Vec<&'a str>> {
        log.since(after).map(|changed| changed.map(|(_, subject)| *subject).collect())
    }

    #[test]
    fn a_subject_comes_once_at_its_newest_place() {
        let mut log = ChangeLog::new(0, 10);
        for (place, subject) in [(1, "a"), (2, "b"), (2, "b"), (3, "a"), (3, "c")] {
            log.record(&subject, place);
        }
        assert_eq!(since(&log, 0), Some(vec!["c", "a", "b"]));
        assert_eq!(since(&log, 2), Some(vec!["c", "a"]));
        assert_eq!(since(&log, 3), Some(vec![]));
        assert!(log.may_have_changed(&"b", 1) && !log.may_have_changed(&"b", 2));
        assert_eq!((log.place(&"a"), log.place(&"d")), (Some(3), None));
        assert_eq!(log.changed_in("a"..="b", 1), Some(vec!["a", "b"]));
        assert_eq!(log.changed_in("a"..="b", 2), Some(vec!["a"]));
    }

    #[test]
    fn what_is_forgotten_may_have_changed() {
        let mut log = ChangeLog::new(5, 2);
        assert!(log.may_have_changed(&"a", 4) && !log.may_have_changed(&"a", 5));
        for (place, subject) in [(6, "a"), (7, "b"), (8, "c")] {
            log.record(&subject, place);
        }
        assert_eq!(
            (since(&log, 5), log.changed_in("a"..="z", 5)),
            (None, None),
            "the change of a is forgotten"
        );
        assert_eq!(since(&log, 6), Some(vec!["c", "b"]));
        assert!(log.may_have_changed(&"a", 5) && !log.may_have_changed(&"a", 6));
    }
}
