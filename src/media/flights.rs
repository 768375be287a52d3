//! Work that many ask for at the same time and that is done once.
//!
//! Owns: the turns. Does not own: the outcome, which whoever comes later finds where the first one left it.
//!
//! Invariant: nothing is kept of a key that nobody works on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{Mutex as Turns, OwnedMutexGuard};

/// Turns by key.
pub(crate) struct Flights<K>(Mutex<BTreeMap<K, Weak<Turns<()>>>>);

/// A turn.
pub(crate) struct Turn(#[expect(dead_code, reason = "held, not read")] OwnedMutexGuard<()>);

impl<K> Default for Flights<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Ord + Clone> Flights<K> {
    /// Waits until nobody else works on `key`.
    pub async fn turn(&self, key: &K) -> Turn {
        let turns = {
            // Each holder leaves the map whole.
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let there = all.get(key).and_then(Weak::upgrade);
            there.unwrap_or_else(|| {
                all.retain(|_, turns| turns.strong_count() > 0);
                let turns = Arc::new(Turns::new(()));
                all.insert(key.clone(), Arc::downgrade(&turns));
                turns
            })
        };
        Turn(turns.lock_owned().await)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn one_works_at_a_time_and_nothing_is_kept() {
        let flights = Flights::default();
        let first = flights.turn(&"a").await;
        let mut second = Box::pin(flights.turn(&"a"));
        assert!(second.as_mut().now_or_never().is_none());
        assert!(flights.turn(&"b").now_or_never().is_some());
        drop(first);
        drop(second.await);
        drop(flights.turn(&"c").await);
        assert_eq!(flights.0.lock().expect("a lock").len(), 1, "only the newest, until the next comes");
    }
}
