//! Positions of streams that live in memory.
//!
//! Owns: [`LivePosition`], the places of changes, waking those who wait for changes. Does not own: the log itself ([`ChangeLog`]).
//!
//! Invariants: positions of one process rise with each change. Whoever asks from a position that cannot be answered exactly (another process, older
//! than what is remembered, from the future) is told so and takes the full answer.

use plop_base::changes::ChangeLog;
use tokio::sync::broadcast;

/// Wake-ups that a slow subscriber may be behind.
const BACKLOG: usize = 1024;

/// Which process, drawn at random when it starts: the positions of another one mean nothing to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessStart(pub u64);

/// A place in a stream that lives in memory, in the order of one process. Its parts are public so that sync tokens can carry them; nobody does
/// arithmetic with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LivePosition {
    pub start: ProcessStart,
    pub counter: u64,
}

/// The last change of each subject.
pub(crate) struct LiveLog<K> {
    start: ProcessStart,
    counter: u64,
    log: ChangeLog<K, u64>,
    changed: broadcast::Sender<K>,
}

impl<K: Ord + Clone> LiveLog<K> {
    pub fn new(start: ProcessStart, capacity: usize) -> Self {
        let log = ChangeLog::new(0, capacity);
        Self { start, counter: 0, log, changed: broadcast::Sender::new(BACKLOG) }
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
        self.log.record(subject, self.counter);
        // Without subscribers there is nobody to wake.
        let _ = self.changed.send(subject.clone());
    }

    /// The subjects that changed after a position, each once, and where, newest change first; `None` when that is not known.
    pub fn since(&self, after: LivePosition) -> Option<impl Iterator<Item = (LivePosition, &K)>> {
        let start = self.start;
        let is_ours = after.start == start && after.counter <= self.counter;
        let changed = self.log.since(after.counter).filter(|_| is_ours)?;
        Some(changed.map(move |(counter, subject)| (LivePosition { start, counter }, subject)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_forgotten_foreign_or_not_yet_there_is_not_answered() {
        let mut log = LiveLog::new(ProcessStart(1), 2);
        let start = log.current();
        let since = |log: &LiveLog<i32>, after| {
            log.since(after).map(|changed| changed.map(|(_, subject)| *subject).collect())
        };
        log.record(&1);
        let after_one = log.current();
        log.record(&2);
        assert_eq!(since(&log, start), Some(vec![2, 1]));
        log.record(&3);
        assert_eq!(since(&log, start), None, "the change of 1 is forgotten");
        assert_eq!(since(&log, after_one), Some(vec![3, 2]));
        assert_eq!(since(&log, log.current()), Some(vec![]));
        assert_eq!(since(&log, LivePosition { start: ProcessStart(2), counter: 1 }), None);
        assert_eq!(since(&log, LivePosition { start: ProcessStart(1), counter: u64::MAX }), None);
    }
}
