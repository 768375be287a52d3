//! What one user may take from all: requests that write, reads that cost, full answers of `/sync` at once; what strangers may, by address.
//!
//! Owns: what a request costs, and whether its user can pay. Does not own: the rates (an administrator's), logins and registrations
//! ([`plop_accounts`]), how large a request may be ([`crate::extract::bodies`]).
//!
//! Invariants: a budget is its user's, not a device's, so more sessions are no more budget; what is refused costs nothing. Memory is bounded.
//! Nobody waits here: a look-up under a lock that is shared with a sixteenth of the users; full answers, which are few, have one lock.

use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Method;
use http::request::Parts;
use plop_base::buckets::{Buckets, Rate};
use plop_base::shares::{Share, Shares};
use plop_base::{Clock, Network};
use ruma::{OwnedUserId, UserId};

use crate::error::ApiError;

/// What an administrator chose.
#[derive(Clone, Copy, Debug)]
pub struct BudgetLimits {
    /// Requests of one user that change something.
    pub writes: Rate,
    /// Reads of one user that cost the server more than a look-up.
    pub reads: Rate,
    /// Such reads without a session, of one IPv4 address or IPv6 /64.
    pub strangers: Rate,
    /// Full answers of `/sync` to one user at a time.
    pub full_syncs: u32,
}

/// What a request costs its user. A table of routes says it where it is not what the method says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// Of the budget for writes.
    Write(u32),
    /// Of the budget for reads.
    Read(u32),
}

/// A new room: a dozen events.
pub const ROOM: Cost = Cost::Write(20);
/// Somebody else hears of it, or a room is entered: what floods of invitations and joins are made of.
pub const MEMBERSHIP: Cost = Cost::Write(5);
/// A page of a room, or a list of it.
pub const PAGE: Cost = Cost::Read(1);
/// A search.
pub const SEARCH: Cost = Cost::Read(5);
/// Answers of `/sync` are paid for afterwards: one for each of as many bytes.
const SYNC_BYTES: usize = 64 << 10;
/// The part of the budget for reads that one answer of `/sync` takes at most: a client that has just got its rooms goes on reading.
const SYNC_PART: u32 = 4;

/// When to come again where two full answers are being sent.
const AGAIN: Duration = Duration::from_secs(2);
const SHARDS: usize = 16;

/// The budgets. Cheap to clone.
#[derive(Clone)]
pub struct Budgets(Option<Arc<Inner>>);

struct Inner {
    limits: BudgetLimits,
    clock: Clock,
    shards: [Mutex<Shard>; SHARDS],
    strangers: Mutex<Buckets<Network>>,
    /// Full answers that are being made or sent.
    full_syncs: Shares<OwnedUserId>,
}

/// What is kept of some of the users.
#[derive(Default)]
struct Shard {
    writes: Buckets<OwnedUserId>,
    reads: Buckets<OwnedUserId>,
}

/// A full answer of `/sync`, until it is gone.
pub struct FullAnswer {
    /// `None` where nobody is limited.
    _share: Option<Share<OwnedUserId>>,
}

impl Cost {
    /// What a request costs: what its route says, else one if it changes something.
    pub fn of(parts: &Parts) -> Option<Self> {
        let routes = parts.extensions.get::<Self>().copied();
        routes.or_else(|| (!matches!(parts.method, Method::GET | Method::HEAD)).then_some(Self::Write(1)))
    }
}

impl Budgets {
    /// `None`: nobody is limited.
    pub fn new(limits: Option<BudgetLimits>, clock: &Clock) -> Self {
        Self(limits.map(|limits| {
            let (shards, strangers, full_syncs) = Default::default();
            Arc::new(Inner { limits, clock: clock.clone(), shards, strangers, full_syncs })
        }))
    }

    /// Takes what a user's request costs.
    ///
    /// # Errors
    /// 429 `M_LIMIT_EXCEEDED` while it is not there.
    pub fn take(&self, user: &UserId, cost: Cost) -> Result<(), ApiError> {
        let Some(inner) = &self.0 else { return Ok(()) };
        let mut shard = inner.shard(user);
        let (buckets, rate, count) = shard.account(&inner.limits, cost);
        let (now, user) = (inner.clock.monotonic(), user.to_owned());
        let wait = buckets.wait(now, &user, rate, count);
        if !wait.is_zero() {
            return Err(ApiError::limited(wait));
        }
        if count > 0 {
            buckets.charge(now, &user, rate, count);
        }
        Ok(())
    }

    /// Takes what a request turned out to cost besides, also if it is not there: then the next ones wait. At most as much as fits in at once.
    pub fn charge(&self, user: &UserId, cost: Cost) {
        let Some(inner) = &self.0 else { return };
        let mut shard = inner.shard(user);
        let (buckets, rate, count) = shard.account(&inner.limits, cost);
        if count > 0 {
            buckets.charge(inner.clock.monotonic(), &user.to_owned(), rate, count.min(rate.burst));
        }
    }

    /// Takes what a stranger's read costs.
    pub fn take_from(&self, address: IpAddr) -> Result<(), ApiError> {
        let Some(inner) = &self.0 else { return Ok(()) };
        let taken = lock(&inner.strangers)
            .take(inner.clock.monotonic(), &[(Network::of(address), inner.limits.strangers)]);
        taken.map_err(ApiError::limited)
    }

    /// The place of a full answer of `/sync`.
    pub fn full_answer(&self, user: &UserId) -> Result<FullAnswer, ApiError> {
        let Some(inner) = &self.0 else { return Ok(FullAnswer { _share: None }) };
        let share = inner.full_syncs.take(user.to_owned(), inner.limits.full_syncs);
        share.map_or_else(|| Err(ApiError::limited(AGAIN)), |share| Ok(FullAnswer { _share: Some(share) }))
    }

    /// Takes what an answer of `/sync` of this many bytes costs.
    pub fn answered(&self, user: &UserId, bytes: usize) {
        let Some(inner) = self.0.as_ref().filter(|_| bytes >= SYNC_BYTES) else { return };
        let count = u32::try_from(bytes / SYNC_BYTES).unwrap_or(u32::MAX);
        self.charge(user, Cost::Read(count.min(inner.limits.reads.burst / SYNC_PART)));
    }
}

impl Shard {
    /// The buckets that a cost is taken from, their rate, and how much it is.
    fn account(&mut self, limits: &BudgetLimits, cost: Cost) -> (&mut Buckets<OwnedUserId>, Rate, u32) {
        match cost {
            Cost::Write(count) => (&mut self.writes, limits.writes, count),
            Cost::Read(count) => (&mut self.reads, limits.reads, count),
        }
    }
}

impl Inner {
    fn shard(&self, user: &UserId) -> MutexGuard<'_, Shard> {
        let mut hasher = DefaultHasher::new();
        user.as_str().hash(&mut hasher);
        // Of as many as the remainder can be.
        lock(&self.shards[(hasher.finish() % SHARDS as u64) as usize])
    }
}

/// Each holder leaves whole entries, also one that panics.
fn lock<T>(kept: &Mutex<T>) -> MutexGuard<'_, T> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use plop_base::UnixMillis;
    use ruma::user_id;

    use super::*;

    fn budgets() -> (Budgets, Clock) {
        let clock = Clock::simulated(UnixMillis(0));
        let rate = |burst| Rate { burst, interval: Duration::from_secs(1) };
        let limits = BudgetLimits { writes: rate(40), reads: rate(8), strangers: rate(2), full_syncs: 2 };
        (Budgets::new(Some(limits), &clock), clock)
    }

    #[tokio::test(start_paused = true)]
    async fn what_costs_more_takes_more_and_what_is_refused_costs_nothing() {
        let (budgets, clock) = budgets();
        let (alice, bob) = (user_id!("@alice:plop.example"), user_id!("@bob:plop.example"));
        assert!(budgets.take(alice, ROOM).is_ok() && budgets.take(alice, ROOM).is_ok());
        for _ in 0..100 {
            assert!(budgets.take(alice, ROOM).is_err());
        }
        assert!(budgets.take(alice, Cost::Read(8)).is_ok(), "reads have a budget of their own");
        assert!(budgets.take(bob, Cost::Write(40)).is_ok());
        clock.sleep(Duration::from_secs(20)).await;
        assert!(budgets.take(alice, ROOM).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_answer_is_paid_for_afterwards_and_leaves_something() {
        let (budgets, clock) = budgets();
        let alice = user_id!("@alice:plop.example");
        budgets.answered(alice, SYNC_BYTES - 1);
        assert!(budgets.take(alice, Cost::Read(8)).is_ok(), "a small answer costs nothing");
        budgets.answered(alice, 1 << 30);
        assert!(budgets.take(alice, Cost::Read(0)).is_err(), "two are owed");
        clock.sleep(Duration::from_secs(2)).await;
        assert!(budgets.take(alice, Cost::Read(0)).is_ok());
        clock.sleep(Duration::from_secs(8)).await;
        budgets.answered(alice, 1 << 30);
        assert!(budgets.take(alice, Cost::Read(6)).is_ok());
    }

    /// Row 150 of the hostile input.
    #[tokio::test(start_paused = true)]
    async fn row_150_a_user_has_two_full_answers_at_a_time() {
        let (budgets, _) = budgets();
        let (alice, bob) = (user_id!("@alice:plop.example"), user_id!("@bob:plop.example"));
        let (first, second) = (budgets.full_answer(alice), budgets.full_answer(alice));
        assert!(first.is_ok() && second.is_ok());
        assert!(budgets.full_answer(alice).is_err() && budgets.full_answer(bob).is_ok());
        drop(first);
        assert!(budgets.full_answer(alice).is_ok());
        drop(second);
        assert_eq!(budgets.0.expect("limits").full_syncs.keys(), 0, "nothing is kept of who has gone");
    }

    #[tokio::test(start_paused = true)]
    async fn strangers_are_counted_by_network() {
        let (budgets, _) = budgets();
        let from = |address: &str| budgets.take_from(address.parse().expect("an address"));
        assert!(from("2001:db8::1").is_ok() && from("2001:db8::2").is_ok());
        assert!(from("2001:db8::3").is_err() && from("2001:db8:0:1::1").is_ok());
    }
}
