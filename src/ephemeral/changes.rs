//! Positions of streams that live in memory.
//!
//! Owns: [`LivePosition`], for each subject the position of its last change, waking those who wait for changes.
//!
//! Invariants: positions of one process rise with each change; a subject has one entry, moved to its newest position; at most
//! `capacity` subjects are remembered. Whoever asks from a position that cannot be answered exactly (another process, older than
//! what is remembered, from the future) is told so and takes the full answer.

use std::collections::BTreeMap;

use tokio::sync::broadcast;

/// Wake-ups that a slow subscriber may be behind.
const BACKLOG: usize = 1024;

/// Which process, drawn at random when it starts: the positions of another one mean nothing to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessStart(pub u64);

/// A place in a stream that lives in memory. Its parts are public so that sync tokens can carry them; nobody does arithmetic with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LivePosition {
    pub start: ProcessStart,
    pub counter: u64,
}

/// The last change of each subject.
pub(crate) struct ChangeLog<K> {
    start: ProcessStart,
    counter: u64,
    /// Changes at or below it may have been forgotten.
    forgotten: u64,
    capacity: usize,
    places: BTreeMap<K, u64>,
    order: BTreeMap<u64, K>,
    changed: broadcast::Sender<K>,
}

impl<K: Ord + Clone> ChangeLog<K> {
    pub fn new(start: ProcessStart, capacity: usize) -> Self {
        Self {
            start,
            counter: 0,
            forgotten: 0,
            capacity,
            places: BTreeMap::new(),
            order: BTreeMap::new(),
            changed: broadcast::Sender::new(BACKLOG),
        }
    }

    /// Subjects that change from now on. A subscriber that lagged takes every subject as changed.
    pub fn subscribe(&self) -> broadcast::Receiver<K> {
        self.changed.subscribe()
    }

    pub fn current(&self) -> LivePosition {
        LivePosition { start: self.start, counter: self.counter }
    }

    /// The subject changed now.
    pub fn record(&mut self, subject: &K) {
        self.counter = self.counter.saturating_add(1);
        if let Some(before) = self.places.insert(subject.clone(), self.counter) {
            self.order.remove(&before);
        }
        self.order.insert(self.counter, subject.clone());
        if self.order.len() > self.capacity
            && let Some((place, subject)) = self.order.pop_first()
        {
            self.places.remove(&subject);
            self.forgotten = place;
        }
        // Without subscribers there is nobody to wake.
        let _ = self.changed.send(subject.clone());
    }

    /// The subjects that changed after a position, each once, oldest change first; `None` when that is not known.
    pub fn since(&self, after: LivePosition) -> Option<Vec<K>> {
        let known = after.start == self.start && (self.forgotten..=self.counter).contains(&after.counter);
        let first = after.counter.checked_add(1).filter(|_| known)?;
        Some(self.order.range(first..).map(|(_, subject)| subject.clone()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_comes_once_at_its_newest_place() {
        let mut log = ChangeLog::new(ProcessStart(1), 10);
        let start = log.current();
        for subject in ["a", "b", "a", "a"] {
            log.record(&subject);
        }
        assert_eq!(log.since(start), Some(vec!["b", "a"]));
        assert_eq!(log.since(log.current()), Some(vec![]));
    }

    #[test]
    fn what_is_forgotten_foreign_or_not_yet_there_is_not_answered() {
        let mut log = ChangeLog::new(ProcessStart(1), 2);
        let start = log.current();
        log.record(&1);
        let after_one = log.current();
        log.record(&2);
        assert_eq!(log.since(start), Some(vec![1, 2]));
        log.record(&3);
        assert_eq!(log.since(start), None, "the change of 1 is forgotten");
        assert_eq!(log.since(after_one), Some(vec![2, 3]));
        assert_eq!(log.since(LivePosition { start: ProcessStart(2), counter: 1 }), None);
        assert_eq!(log.since(LivePosition { start: ProcessStart(1), counter: u64::MAX }), None);
    }
}
