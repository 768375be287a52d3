//! Token buckets by key, in bounded memory: how often somebody may do something.
//!
//! Owns: the arithmetic. Does not own: who is limited, and the numbers.
//!
//! A bucket is one time: when it will be full again (generic cell rate algorithm). A full bucket is the same as none, so buckets that
//! have filled up are dropped.
//!
//! Invariants: whoever takes from several buckets takes from all or from none; at most [`MOST_BUCKETS`] are kept: keys beyond share one.

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

/// A bucket for each key.
pub struct Buckets<K> {
    /// When each bucket is full again, by the monotonic clock.
    full_at: BTreeMap<K, Duration>,
    /// The one that all keys share for which there is no place.
    overflow: Duration,
    sweep_at: usize,
}

impl<K> Default for Buckets<K> {
    fn default() -> Self {
        Self { full_at: BTreeMap::new(), overflow: Duration::ZERO, sweep_at: FIRST_SWEEP }
    }
}

impl<K: Ord + Clone> Buckets<K> {
    /// Takes one from each bucket, or answers after how long there will be one in each. `now` is of the monotonic clock.
    pub fn take(&mut self, now: Duration, buckets: &[(K, Rate)]) -> Result<(), Duration> {
        let wait = buckets.iter().map(|(key, rate)| self.wait(now, key, *rate, 1)).max().unwrap_or_default();
        if !wait.is_zero() {
            return Err(wait);
        }
        for (key, rate) in buckets {
            self.charge(now, key, *rate, 1);
        }
        Ok(())
    }

    /// After how long a bucket will have `count`; zero if it has. More than fit in are as many as fit in.
    pub fn wait(&self, now: Duration, key: &K, rate: Rate, count: u32) -> Duration {
        let full = self.full_at.get(key).copied().unwrap_or_else(|| self.initial());
        let used_up = full.max(now).saturating_add(rate.interval * count.min(rate.burst));
        used_up.saturating_sub(now.saturating_add(rate.interval * rate.burst))
    }

    /// Takes `count`, whether they are there or not: what is missing is owed.
    pub fn charge(&mut self, now: Duration, key: &K, rate: Rate, count: u32) {
        let full = self.full_at.get(key).copied().unwrap_or_else(|| self.initial()).max(now);
        let full = full.saturating_add(rate.interval * count);
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
        let mut buckets = Buckets::default();
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
        let mut buckets = Buckets::default();
        let once = Rate { burst: 1, ..RATE };
        assert_eq!(buckets.take(Duration::ZERO, &[("a", once)]), Ok(()));
        for _ in 0..5 {
            assert!(buckets.take(Duration::ZERO, &[("a", once), ("b", once)]).is_err());
        }
        assert_eq!(buckets.take(Duration::ZERO, &[("b", once)]), Ok(()));
    }

    #[test]
    fn what_costs_more_takes_more_and_what_is_owed_is_waited_for() {
        let mut buckets = Buckets::default();
        let seconds = Duration::from_secs;
        assert_eq!(buckets.wait(seconds(0), &"a", RATE, 9), seconds(0), "as many as fit in");
        buckets.charge(seconds(0), &"a", RATE, 2);
        assert_eq!(buckets.wait(seconds(0), &"a", RATE, 1), seconds(0));
        assert_eq!(buckets.wait(seconds(0), &"a", RATE, 2), seconds(10));
        buckets.charge(seconds(0), &"a", RATE, 3);
        assert_eq!(buckets.wait(seconds(0), &"a", RATE, 0), seconds(20), "two are owed");
        assert_eq!(buckets.take(seconds(30), &[("a", RATE)]), Ok(()));
        assert_eq!(buckets.wait(seconds(30), &"a", RATE, 1), seconds(10));
    }

    #[test]
    fn memory_is_bounded_and_keys_without_a_place_are_limited_together() {
        let mut buckets = Buckets::default();
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
