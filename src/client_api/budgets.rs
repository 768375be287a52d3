//! What one user may take from all: requests that write, reads that cost, actions of some kinds, full answers of `/sync` at once; what strangers and
//! networks may.
//!
//! Owns: what a request costs, and whether its user can pay. Does not own: the rates (an administrator's), logins and registrations
//! ([`plop_accounts`]), invitations to one user ([`plop_rooms`]), how large a request may be ([`crate::extract::bodies`]).
//!
//! Invariants: a budget is its user's, not a device's, so more sessions are no more budget; what is refused costs nothing. Memory is bounded.
//! Nobody waits here: look-ups under a lock that is shared with a sixteenth of the users, and for actions under that of all networks.

use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Method;
use http::request::Parts;
use plop_base::buckets::{Buckets, Rate};
use plop_base::network::is_near;
use plop_base::shares::{Share, Shares};
use plop_base::{Clock, Network};
use ruma::{OwnedUserId, UserId};

use crate::actions::{Action, ActionRates};
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
    /// Kinds of requests, each by itself.
    pub actions: ActionRates,
}

/// What a request costs its user. A table of routes says it where it is not what the method says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// Of the budget for writes.
    Write(u32),
    /// Of the budget for reads.
    Read(u32),
    /// What the action costs, and of its own rate.
    Of(Action),
}

impl Action {
    /// What it takes of its user's budget.
    pub(crate) const fn cost(self) -> Cost {
        match self {
            Self::Send | Self::Upload => Cost::Write(1),
            // A dozen events.
            Self::CreateRoom => Cost::Write(20),
            // Somebody else hears of it, or a room is entered: what floods of invitations and joins are made of.
            Self::Join | Self::Invite | Self::Report => Cost::Write(5),
            Self::Search => Cost::Read(5),
            Self::UserDirectory | Self::Preview => Cost::Read(2),
        }
    }
}

/// Messages and other events.
pub const SEND: Cost = Cost::Of(Action::Send);
/// A new room.
pub const ROOM: Cost = Cost::Of(Action::CreateRoom);
/// A room is entered, or asked for.
pub const JOIN: Cost = Cost::Of(Action::Join);
pub const INVITE: Cost = Cost::Of(Action::Invite);
/// A page of a room, or a list of it.
pub const PAGE: Cost = Cost::Read(1);
/// All of something large at once.
pub const LIST: Cost = Cost::Read(5);
/// A report of a room, an event or a user.
pub const REPORT: Cost = Cost::Of(Action::Report);
/// Media, or a place for them.
pub const UPLOAD: Cost = Cost::Of(Action::Upload);
/// A preview of an address.
pub const PREVIEW: Cost = Cost::Of(Action::Preview);
/// A search for users.
pub const USER_DIRECTORY: Cost = Cost::Of(Action::UserDirectory);
/// A search.
pub const SEARCH: Cost = Cost::Of(Action::Search);
/// Answers of `/sync` are paid for afterwards: one for each of as many bytes.
const SYNC_BYTES: usize = 64 << 10;
/// The part of the budget for reads that one answer of `/sync` takes at most: a client that has just got its rooms goes on reading.
const SYNC_PART: u32 = 4;

/// As many busy users may be behind one address.
const USERS_OF_A_NETWORK: u32 = 10;
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
    /// Strangers who do something for users.
    delegated: Mutex<Buckets<Network>>,
    /// Actions of all users of a network together.
    networks: Mutex<Buckets<(Network, Action)>>,
    /// Full answers that are being made or sent.
    full_syncs: Shares<OwnedUserId>,
}

/// What is kept of some of the users.
#[derive(Default)]
struct Shard {
    writes: Buckets<OwnedUserId>,
    reads: Buckets<OwnedUserId>,
    actions: Buckets<(OwnedUserId, Action)>,
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

    fn action(self) -> Option<Action> {
        match self {
            Self::Of(action) => Some(action),
            Self::Write(_) | Self::Read(_) => None,
        }
    }
}

/// What all users of a network may do together: as much as some of them.
fn of_network(rate: Rate) -> Rate {
    Rate {
        burst: rate.burst.saturating_mul(USERS_OF_A_NETWORK),
        interval: rate.interval / USERS_OF_A_NETWORK,
    }
}

impl Budgets {
    /// `None`: nobody is limited.
    pub fn new(limits: Option<BudgetLimits>, clock: &Clock) -> Self {
        Self(limits.map(|limits| {
            let (shards, strangers, delegated, networks, full_syncs) = Default::default();
            Arc::new(Inner {
                limits,
                clock: clock.clone(),
                shards,
                strangers,
                delegated,
                networks,
                full_syncs,
            })
        }))
    }

    /// Takes what a user's request costs.
    ///
    /// # Errors
    /// 429 `M_LIMIT_EXCEEDED` while it is not there.
    pub fn take(&self, user: &UserId, cost: Cost) -> Result<(), ApiError> {
        self.take_as(user, None, cost)
    }

    /// The same for a request from somewhere: actions are limited by network, too.
    pub fn take_from_user(&self, user: &UserId, from: IpAddr, cost: Cost) -> Result<(), ApiError> {
        self.take_as(user, Some(from), cost)
    }

    fn take_as(&self, user: &UserId, from: Option<IpAddr>, cost: Cost) -> Result<(), ApiError> {
        let Some(inner) = &self.0 else { return Ok(()) };
        let now = inner.clock.monotonic();
        let user = user.to_owned();
        let action = cost.action().and_then(|action| Some((action, inner.limits.actions.of(action)?)));
        let network = from.filter(|from| !is_near(*from)).map(Network::of);
        let mut shard = inner.shard(&user);
        let mut networks = action.zip(network).map(|limited| (limited, lock(&inner.networks)));
        // All waits first: what is refused costs nothing.
        let (buckets, rate, count) = shard.account(&inner.limits, cost);
        let mut wait = buckets.wait(now, &user, rate, count);
        if let Some((action, rate)) = action {
            wait = wait.max(shard.actions.wait(now, &(user.clone(), action), rate, 1));
        }
        if let Some((((action, rate), network), networks)) = &networks {
            wait = wait.max(networks.wait(now, &(*network, *action), of_network(*rate), 1));
        }
        if !wait.is_zero() {
            return Err(ApiError::limited(wait));
        }
        let (buckets, rate, count) = shard.account(&inner.limits, cost);
        if count > 0 {
            buckets.charge(now, &user, rate, count);
        }
        if let Some((action, rate)) = action {
            shard.actions.charge(now, &(user, action), rate, 1);
        }
        if let Some((((action, rate), network), networks)) = &mut networks {
            networks.charge(now, &(*network, *action), of_network(*rate), 1);
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

    /// Takes what a stranger's request costs that does something for a user: of one who serves many users, so there is more of it.
    pub fn take_delegated(&self, address: IpAddr) -> Result<(), ApiError> {
        let Some(inner) = &self.0 else { return Ok(()) };
        let rate = of_network(inner.limits.strangers);
        let taken = lock(&inner.delegated).take(inner.clock.monotonic(), &[(Network::of(address), rate)]);
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
            Cost::Of(action) => self.account(limits, action.cost()),
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
mod tests;
