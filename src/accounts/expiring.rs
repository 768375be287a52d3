//! Things that are kept for a while, in a bounded number, under a secret: what a restart may forget.
//!
//! Invariants: nothing is found after its time; the number of entries never exceeds the capacity, a new one then takes the place of the
//! oldest.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::secrets::SecretHash;

/// Entries by the hash of their secret. Times are those of the monotonic clock.
pub(crate) struct Expiring<T> {
    lifetime: Duration,
    capacity: usize,
    entries: BTreeMap<SecretHash, (Duration, T)>,
    by_end: BTreeSet<(Duration, SecretHash)>,
}

impl<T> Expiring<T> {
    pub fn new(lifetime: Duration, capacity: usize) -> Self {
        Self { lifetime, capacity, entries: BTreeMap::new(), by_end: BTreeSet::new() }
    }

    pub fn insert(&mut self, now: Duration, secret: &str, value: T) {
        self.drop_ended(now);
        if self.entries.len() >= self.capacity
            && let Some((_, oldest)) = self.by_end.pop_first()
        {
            self.entries.remove(&oldest);
        }
        let (hash, end) = (SecretHash::of(secret), now.saturating_add(self.lifetime));
        if let Some((end, _)) = self.entries.insert(hash, (end, value)) {
            self.by_end.remove(&(end, hash));
        }
        self.by_end.insert((end, hash));
    }

    pub fn get(&mut self, now: Duration, secret: &str) -> Option<&mut T> {
        self.drop_ended(now);
        self.entries.get_mut(&SecretHash::of(secret)).map(|(_, value)| value)
    }

    /// Takes it out: nobody finds it again.
    pub fn take(&mut self, now: Duration, secret: &str) -> Option<T> {
        self.drop_ended(now);
        let hash = SecretHash::of(secret);
        let (end, value) = self.entries.remove(&hash)?;
        self.by_end.remove(&(end, hash));
        Some(value)
    }

    /// Everything whose time has not ended.
    pub fn values(&mut self, now: Duration) -> impl Iterator<Item = &T> {
        self.drop_ended(now);
        self.entries.values().map(|(_, value)| value)
    }

    fn drop_ended(&mut self, now: Duration) {
        while let Some((end, _)) = self.by_end.first()
            && *end <= now
        {
            if let Some((_, hash)) = self.by_end.pop_first() {
                self.entries.remove(&hash);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn nothing_is_found_after_its_time_or_twice_taken() {
        let mut kept = Expiring::new(MINUTE, 10);
        kept.insert(Duration::ZERO, "a", 1);
        kept.insert(Duration::from_secs(1), "b", 2);
        assert_eq!(kept.take(Duration::from_secs(2), "b"), Some(2));
        assert_eq!(kept.take(Duration::from_secs(2), "b"), None);
        assert_eq!(kept.get(Duration::from_secs(59), "a"), Some(&mut 1));
        assert_eq!(kept.get(MINUTE, "a"), None);
        assert_eq!(kept.values(MINUTE).count(), 0);
    }

    #[test]
    fn a_new_entry_takes_the_place_of_the_oldest_when_all_are_taken() {
        let mut kept = Expiring::new(MINUTE, 2);
        for (second, name) in [(0, "a"), (1, "b"), (2, "c")] {
            kept.insert(Duration::from_secs(second), name, name);
        }
        let now = Duration::from_secs(3);
        assert_eq!(kept.values(now).count(), 2);
        assert_eq!(kept.get(now, "a"), None);
        assert!(kept.get(now, "c").is_some());
    }

    #[test]
    fn a_key_that_is_inserted_again_begins_a_new_time() {
        let mut kept = Expiring::new(MINUTE, 2);
        kept.insert(Duration::ZERO, "a", 1);
        kept.insert(Duration::from_secs(30), "a", 2);
        assert_eq!(kept.get(MINUTE, "a"), Some(&mut 2));
    }
}
