//! How many of something each key has at present.
//!
//! Owns: the counts. Does not own: who is counted, and how many are allowed.
//!
//! Invariants: a count falls when its [`Share`] is gone, and nothing is kept of a key that has none: memory follows the shares there are.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The counts of all keys. Clones share them.
pub struct Shares<K>(Arc<Mutex<BTreeMap<K, u32>>>);

/// That its key has one more, as long as it lives.
pub struct Share<K: Ord> {
    key: K,
    shares: Shares<K>,
}

impl<K> Clone for Shares<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K> Default for Shares<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Ord + Clone> Shares<K> {
    /// One more for a key; `None` if it has `most` already.
    pub fn take(&self, key: K, most: u32) -> Option<Share<K>> {
        let mut held = self.lock();
        match held.entry(key.clone()) {
            Entry::Occupied(mut count) if *count.get() < most => *count.get_mut() += 1,
            Entry::Vacant(vacant) if most > 0 => {
                vacant.insert(1);
            }
            Entry::Occupied(_) | Entry::Vacant(_) => return None,
        }
        drop(held);
        Some(Share { key, shares: self.clone() })
    }
}

impl<K: Ord> Shares<K> {
    /// How many keys have any.
    pub fn keys(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<K, u32>> {
        // Each holder leaves whole counts.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Ord> Drop for Share<K> {
    fn drop(&mut self) {
        let mut held = self.shares.lock();
        if let Some(count) = held.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_so_many_at_a_time_and_nothing_is_kept_of_who_has_none() {
        let shares = Shares::default();
        let mut held: Vec<_> = (0..3).map(|_| shares.take("a", 3)).collect();
        assert!(held.iter().all(Option::is_some));
        assert!(shares.take("a", 3).is_none() && shares.take("b", 0).is_none());
        let other = shares.take("b", 1);
        assert!(other.is_some() && shares.keys() == 2);
        held.pop();
        assert!(shares.take("a", 3).is_some(), "one is free again");
        drop((held, other));
        assert_eq!(shares.keys(), 0);
    }
}
