//! One at a time, for each of many things.
//!
//! Owns: [`Turns`]. Invariants: an entry is there only while somebody has its turn or waits for it, also when a future that waits is dropped.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// Whose turn it is, by key. Clones share it.
pub(super) struct Turns<K: Ord + Clone>(Arc<Mutex<BTreeMap<K, Arc<AsyncMutex<()>>>>>);

/// The turn of whoever has it, or waits for it.
pub(super) struct Turn<K: Ord + Clone> {
    turns: Turns<K>,
    key: K,
    held: Option<OwnedMutexGuard<()>>,
}

impl<K: Ord + Clone> Turns<K> {
    /// Waits for the turn; others wait until it is dropped.
    pub async fn take(&self, key: &K) -> Turn<K> {
        let turn = Arc::clone(self.lock().entry(key.clone()).or_default());
        // Made before the wait, so that a dropped wait leaves nothing behind.
        let mut waiting = Turn { turns: self.clone(), key: key.clone(), held: None };
        waiting.held = Some(turn.lock_owned().await);
        waiting
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<K, Arc<AsyncMutex<()>>>> {
        // The map is whole at every panic point.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Ord + Clone> Drop for Turn<K> {
    fn drop(&mut self) {
        let mut turns = self.turns.lock();
        self.held = None;
        // Held by the map alone: nobody waits.
        if turns.get(&self.key).is_some_and(|turn| Arc::strong_count(turn) == 1) {
            turns.remove(&self.key);
        }
    }
}

impl<K: Ord + Clone> Clone for Turns<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Ord + Clone> Default for Turns<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

#[cfg(test)]
mod tests {
    use super::Turns;

    #[tokio::test]
    async fn a_turn_is_for_one_and_leaves_nothing_behind() {
        let turns = Turns::<u8>::default();
        let first = turns.take(&1).await;
        let other = turns.take(&2).await;
        {
            let mut second = std::pin::pin!(turns.take(&1));
            assert!(futures_util::poll!(&mut second).is_pending(), "the turn is taken");
        }
        drop(other);
        assert_eq!(turns.lock().len(), 1, "nothing is left of the dropped wait");
        drop(first);
        assert!(turns.lock().is_empty());
    }
}
