//! Token buckets by key, in bounded memory.
//!
//! A bucket is one time: when it will be full again (generic cell rate algorithm). A full bucket is the same as none, so buckets that
//! have filled up are dropped.
//!
//! Invariants: an attempt takes from all its buckets or from none; at most [`MOST_BUCKETS`] are kept: keys beyond share one.

use std::collections::BTreeMap;
use std::time::Duration;

/// How often: a burst at once, then one each interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Attempts that may come at once.
    pub burst: u32,
    /// Time until one more is allowed.
    pub interval: Duration,
}

/// About 10 MB at the longest keys.
const MOST_BUCKETS: usize = 50_000;
/// Fewer are not worth looking for full ones.
const FIRST_SWEEP: usize = 1_024;

pub(crate) struct Buckets<K> {
    /// When each bucket is full again, by the monotonic clock.
    full_at: BTreeMap<K, Duration>,
    /// The one that all keys share for which there is no place.
    overflow: Duration,
    sweep_at: usize,
}

impl<K: Ord + Clone> Buckets<K> {
    pub fn new() -> Self {
        Self { full_at: BTreeMap::new(), overflow: Duration::ZERO, sweep_at: FIRST_SWEEP }
    }

    /// Takes one from each bucket, or answers after how long there will be one in each.
    pub fn take(&mut self, now: Duration, buckets: &[(K, Rate)]) -> Result<(), Duration> {
        let wait = buckets.iter().map(|(key, rate)| self.wait(now, key, *rate)).max().unwrap_or_default();
        if !wait.is_zero() {
            return Err(wait);
        }
        for (key, rate) in buckets {
            self.put(now, key, *rate);
        }
        Ok(())
    }

    fn wait(&self, now: Duration, key: &K, rate: Rate) -> Duration {
        let full = self.full_at.get(key).copied().unwrap_or_else(|| self.initial());
        let used_up = full.max(now) + rate.interval;
        used_up.saturating_sub(now + rate.interval * rate.burst)
    }

    fn put(&mut self, now: Duration, key: &K, rate: Rate) {
        let full = self.full_at.get(key).copied().unwrap_or_else(|| self.initial()).max(now) + rate.interval;
        if self.full_at.len() >= self.sweep_at {
            self.full_at.retain(|_, full| *full > now);
            self.sweep_at = (self.full_at.len() * 2).clamp(FIRST_SWEEP, MOST_BUCKETS);
        }
        if self.is_full() && !self.full_at.contains_key(key) {
            self.overflow = full;
        } else {
            self.full_at.insert(key.clone(), full);
        }
    }

    fn is_full(&self) -> bool {
        self.full_at.len() >= MOST_BUCKETS
    }

    /// What a key starts with that has no bucket of its own.
    fn initial(&self) -> Duration {
        if self.is_full() { self.overflow } else { Duration::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { burst: 3, interval: Duration::from_secs(10) };

    #[test]
    fn a_burst_passes_then_one_each_interval() {
        let mut buckets = Buckets::new();
        let now = Duration::from_secs(100);
        for _ in 0..3 {
            assert_eq!(buckets.take(now, &[("a", RATE)]), Ok(()));
        }
        assert_eq!(buckets.take(now, &[("a", RATE)]), Err(Duration::from_secs(10)));
        assert_eq!(buckets.take(now, &[("b", RATE)]), Ok(()));
        let later = now + Duration::from_secs(10);
        assert_eq!(buckets.take(later, &[("a", RATE)]), Ok(()));
        assert_eq!(buckets.take(later, &[("a", RATE)]), Err(Duration::from_secs(10)));
    }

    #[test]
    fn a_refused_attempt_takes_from_no_bucket() {
        let mut buckets = Buckets::new();
        let once = Rate { burst: 1, ..RATE };
        assert_eq!(buckets.take(Duration::ZERO, &[("a", once)]), Ok(()));
        for _ in 0..5 {
            assert!(buckets.take(Duration::ZERO, &[("a", once), ("b", once)]).is_err());
        }
        assert_eq!(buckets.take(Duration::ZERO, &[("b", once)]), Ok(()));
    }

    #[test]
    fn memory_is_bounded_and_keys_without_a_place_are_limited_together() {
        let mut buckets = Buckets::new();
        for key in 0..MOST_BUCKETS + 3 {
            assert_eq!(buckets.take(Duration::ZERO, &[(key, RATE)]), Ok(()));
        }
        assert!(buckets.take(Duration::ZERO, &[(MOST_BUCKETS + 9, RATE)]).is_err());
        assert_eq!(buckets.full_at.len(), MOST_BUCKETS);
        // Once they have filled up again, there is place.
        assert_eq!(buckets.take(Duration::from_secs(40), &[(MOST_BUCKETS + 9, RATE)]), Ok(()));
        assert!(buckets.full_at.len() < 10);
    }
}
