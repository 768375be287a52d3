//! What is made from things that change seldom, in memory until they do.
//!
//! Owns: [`AsOf`], a cache of such values that is bounded in bytes, and the order in which one is looked up, checked and read anew. Does not own: what the
//! values are made from; which log says that it changed: who asks knows. Not for what is brought up to date piece by piece (the rooms of a user, the end of
//! a timeline): such a value says itself how far it goes.
//!
//! Invariants: what is given out has every change that was acknowledged before it was asked for. A value has what its position has, and may have more: the log
//! of changes knows of that too, so that it is read once more rather than never.

use std::hash::Hash;
use std::sync::Arc;

use plop_db::{Position, Snapshot};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::changes::{Logs, SharedChanges};

/// Values by what they are about.
pub struct AsOf<K, V>(Cache<K, Arc<Known<V>>, ByValue<V>>);

/// A value as of a position.
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

impl<K: Eq + Hash, V: Clone> AsOf<K, V> {
    /// At most so many bytes, about. `weigh` says what an entry takes with its key, and `usual` what most do.
    pub fn new(bytes: u64, usual: u64, weigh: fn(&V) -> u64) -> Self {
        let entries = usize::try_from(bytes / usual.max(1)).unwrap_or(usize::MAX);
        Self(Cache::with_weighter(entries, bytes, ByValue(weigh)))
    }

    /// What is known, right or not, and as of which position.
    pub fn known(&self, key: &K) -> Option<(Position, V)> {
        self.0.get(key).map(|known| (known.as_of, known.value.clone()))
    }

    /// Takes in what a snapshot of that position, or a newer one, has.
    pub fn insert(&self, key: K, as_of: Position, value: V) {
        self.0.insert(key, Arc::new(Known { as_of, value }));
    }

    /// The value as it is now: what is known, if the logs say that it is right as of its position, else what `read` makes of a snapshot.
    pub async fn of<F: Future<Output = Result<V, E>>, E>(
        &self,
        key: K,
        changes: &SharedChanges,
        is_right: impl FnOnce(&Logs, Position) -> bool,
        read: impl FnOnce(Snapshot) -> F,
    ) -> Result<V, E> {
        if let Some((as_of, value)) = self.known(&key)
            && is_right(&changes.now().0.logs, as_of)
        {
            return Ok(value);
        }
        // Whatever comes after this is above its position.
        let snapshot = changes.snapshot();
        let as_of = snapshot.position();
        let value = read(snapshot).await?;
        self.insert(key, as_of, value.clone());
        Ok(value)
    }
}
