//! What is made from things that change seldom, in memory until they do.
//!
//! Owns: [`Remembered`], a cache that is bounded in bytes. Does not own: what it is made from, and whether that has changed: who asks says so.
//!
//! Invariants: what is put in with a position was read after that position was taken, so that a change above it is one that it may not have.

use std::hash::Hash;
use std::sync::Arc;

use plop_db::Position;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

/// Values by what they are about.
pub struct Remembered<K, V>(Cache<K, Arc<Known<V>>, ByValue<V>>);

/// Something as of a position.
struct Known<V> {
    as_of: Position,
    value: V,
}

struct ByValue<V>(fn(&V) -> u64);

impl<V> Clone for ByValue<V> {
    fn clone(&self) -> Self {
        Self(self.0)
    }
}

impl<K, V> Weighter<K, Arc<Known<V>>> for ByValue<V> {
    fn weight(&self, _: &K, known: &Arc<Known<V>>) -> u64 {
        (self.0)(&known.value)
    }
}

impl<K: Eq + Hash, V: Clone> Remembered<K, V> {
    /// At most so many bytes, about. `weigh` says what an entry takes, and `usual` what most do.
    pub fn new(bytes: u64, usual: u64, weigh: fn(&V) -> u64) -> Self {
        let entries = usize::try_from(bytes / usual.max(1)).unwrap_or(usize::MAX);
        Self(Cache::with_weighter(entries, bytes, ByValue(weigh)))
    }

    /// What is known, if that is still right.
    pub fn get(&self, key: &K, is_right: impl FnOnce(Position, &V) -> bool) -> Option<V> {
        let known = self.0.get(key)?;
        is_right(known.as_of, &known.value).then(|| known.value.clone())
    }

    /// What has been read since `as_of`.
    pub fn insert(&self, key: K, as_of: Position, value: V) {
        self.0.insert(key, Arc::new(Known { as_of, value }));
    }
}
