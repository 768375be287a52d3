//! Time as a parameter.
//!
//! Owns: the wall clock (timestamps that are stored and sent) and the monotonic clock (waits and time limits).
//!
//! Invariants: waits and limits use the monotonic clock, so that a stepped wall clock changes no time-out. A
//! simulated clock moves only with tokio's clock: on a paused runtime a day passes in no time, and the same in
//! each run.

#![expect(clippy::disallowed_methods, reason = "the one place that asks for the time")]

use std::fmt;
use std::future::Future;
use std::time::{Duration, UNIX_EPOCH};

use ruma::{MilliSecondsSinceUnixEpoch, UInt};
use tokio::time::Instant;

use crate::limits::MAX_SAFE_INT;

/// Milliseconds since 1970-01-01 UTC, without leap seconds: the protocol's timestamp.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMillis(pub u64);

impl UnixMillis {
    /// This time and `duration`; stays at the largest value instead of overflowing.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    /// The time that was `duration` ago; stays at the smallest value instead of overflowing.
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }

    /// How long after `earlier` this is; zero when it is not after it (the wall clock may be set back).
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<UnixMillis> for MilliSecondsSinceUnixEpoch {
    /// Times above the protocol's largest integer (the year 287396) become that integer.
    fn from(time: UnixMillis) -> Self {
        Self(UInt::new_saturating(time.0.min(MAX_SAFE_INT)))
    }
}

impl From<MilliSecondsSinceUnixEpoch> for UnixMillis {
    fn from(time: MilliSecondsSinceUnixEpoch) -> Self {
        Self(time.0.into())
    }
}

/// The time. Cheap to clone; every part that needs time is given one.
#[derive(Clone, Debug)]
pub struct Clock {
    wall: Wall,
    /// Where [`Clock::monotonic`] is zero.
    origin: Instant,
}

#[derive(Clone, Copy, Debug)]
enum Wall {
    /// The operating system's clock, which an admin or NTP may step.
    System,
    /// This time at `origin`, then on with the monotonic clock.
    Simulated(UnixMillis),
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::starting_now(Wall::System)
    }

    /// A clock that shows `start` now and moves with tokio's clock, which a paused runtime moves by itself.
    pub fn simulated(start: UnixMillis) -> Self {
        Self::starting_now(Wall::Simulated(start))
    }

    fn starting_now(wall: Wall) -> Self {
        Self { wall, origin: Instant::now() }
    }

    /// The wall clock, for timestamps. May go backwards on a real machine: never measure a wait with it.
    pub fn now(&self) -> UnixMillis {
        match self.wall {
            // A machine whose clock stands before 1970 gets 1970.
            Wall::System => UnixMillis(UNIX_EPOCH.elapsed().map_or(0, millis)),
            Wall::Simulated(start) => start.plus(self.monotonic()),
        }
    }

    /// Time since this clock was made; never goes backwards.
    pub fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }

    /// Waits for `duration`.
    pub async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    /// The output of `work`, or `None` when it is not there after `limit`; `work` is then dropped.
    pub async fn timeout<F: Future>(&self, limit: Duration, work: F) -> Option<F::Output> {
        tokio::time::timeout(limit, work).await.ok()
    }
}

/// Whole milliseconds of `duration`, at most `u64::MAX`.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_simulated_clock_moves_with_the_paused_runtime() {
        let clock = Clock::simulated(UnixMillis(1_000));
        assert_eq!(clock.now(), UnixMillis(1_000));
        clock.sleep(Duration::from_secs(86_400)).await;
        assert_eq!(clock.now(), UnixMillis(86_401_000));
        assert_eq!(clock.monotonic(), Duration::from_secs(86_400));
    }

    #[tokio::test(start_paused = true)]
    async fn a_timeout_drops_work_that_is_late_and_keeps_work_that_is_not() {
        let clock = Clock::simulated(UnixMillis(0));
        let hour = Duration::from_secs(3_600);
        assert_eq!(clock.timeout(hour, std::future::pending::<()>()).await, None);
        assert_eq!(clock.monotonic(), hour);
        assert_eq!(clock.timeout(hour, async { 7 }).await, Some(7));
    }

    #[test]
    fn the_system_clock_is_past_2020_and_its_monotonic_part_starts_at_zero() {
        let clock = Clock::system();
        assert!(clock.now() > UnixMillis(1_577_836_800_000));
        assert!(clock.monotonic() < Duration::from_secs(60));
    }

    #[test]
    fn a_difference_of_times_is_never_negative_and_a_sum_never_overflows() {
        assert_eq!(UnixMillis(5).since(UnixMillis(9)), Duration::ZERO);
        assert_eq!(UnixMillis(9).since(UnixMillis(5)), Duration::from_millis(4));
        assert_eq!(UnixMillis(u64::MAX).plus(Duration::MAX), UnixMillis(u64::MAX));
    }

    #[test]
    fn a_time_beyond_the_protocols_integers_becomes_the_largest_of_them() {
        let wire = MilliSecondsSinceUnixEpoch::from(UnixMillis(u64::MAX));
        assert_eq!(UnixMillis::from(wire), UnixMillis(MAX_SAFE_INT));
    }
}
