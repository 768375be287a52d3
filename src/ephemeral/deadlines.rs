//! One timer for many subjects.
//!
//! Owns: when which subject is due ([`Deadlines`]), the waiting ([`Timer`]). Does not own: what happens then.
//!
//! Invariants: a subject has at most one deadline; both maps hold the same pairs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use plop_base::Clock;
use tokio::sync::Notify;

/// Waits for the next of some deadlines.
pub(crate) struct Timer {
    clock: Clock,
    sooner: Notify,
}

impl Timer {
    pub fn new(clock: Clock) -> Self {
        Self { clock, sooner: Notify::new() }
    }

    /// A deadline was set; `is_first` says that the timer must wake up sooner than before ([`Deadlines::set`]).
    pub fn set(&self, is_first: bool) {
        if is_first {
            self.sooner.notify_one();
        }
    }

    /// Runs for ever. `settle` does what is due and says when something is due next.
    pub async fn run(&self, settle: impl Fn() -> Option<Duration>) {
        loop {
            let next = settle();
            let sooner = self.sooner.notified();
            match next {
                None => sooner.await,
                Some(at) => {
                    let wait = at.saturating_sub(self.clock.monotonic());
                    // Either way the deadlines are looked at again.
                    let _ = self.clock.timeout(wait, sooner).await;
                }
            }
        }
    }
}

/// Deadlines on the monotonic clock ([`plop_base::Clock::monotonic`]).
pub(crate) struct Deadlines<K> {
    of: BTreeMap<K, Duration>,
    order: BTreeSet<(Duration, K)>,
}

impl<K: Ord + Clone> Deadlines<K> {
    pub fn new() -> Self {
        Self { of: BTreeMap::new(), order: BTreeSet::new() }
    }

    pub fn len(&self) -> usize {
        self.of.len()
    }

    /// Sets or removes the deadline of a subject. Says whether the timer must wake up sooner than before.
    pub fn set(&mut self, subject: &K, at: Option<Duration>) -> bool {
        let first = self.first();
        let before = match at {
            Some(at) => self.of.insert(subject.clone(), at),
            None => self.of.remove(subject),
        };
        if let Some(before) = before {
            self.order.remove(&(before, subject.clone()));
        }
        let Some(at) = at else { return false };
        self.order.insert((at, subject.clone()));
        first.is_none_or(|first| at < first)
    }

    /// When the next subject is due.
    pub fn first(&self) -> Option<Duration> {
        self.order.first().map(|(at, _)| *at)
    }

    /// Takes out a subject whose deadline has come.
    pub fn take_due(&mut self, now: Duration) -> Option<K> {
        if self.first()? > now {
            return None;
        }
        let (_, subject) = self.order.pop_first()?;
        self.of.remove(&subject);
        Some(subject)
    }
}
