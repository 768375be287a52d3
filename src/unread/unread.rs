//! The counts of a user.
//!
//! Owns: which way of counting is right for a room, and the caches. Invariants: both are bounded; losing them costs time only.

use std::sync::Arc;

use plop_accounts::thread_subscriptions::knows_threads;
use plop_db::{Position, Snapshot};
use plop_rooms::schema::Membership;
use plop_rooms::{RoomView, Rooms, StoreFault};
use plop_state::push::InRoom;
use plop_state_store::RoomNumber;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use ruma::{OwnedUserId, UserId};

use crate::by_rules::{self, Settled};
use crate::by_totals::{self, Found};
use crate::counts::{Counts, RoomCounts};
use crate::marks::Marks;
use crate::question::Question;
use crate::user_rules::{Rows, UserRules};

/// Users whose rules are remembered.
const CACHED_USERS: usize = 2_000;

/// Bytes that a remembered room of a user has, roughly.
const AVERAGE_SETTLED: u64 = 1_024;

/// Counts for all users. Cheap to clone.
#[derive(Clone)]
pub struct Unread(Arc<Parts>);

struct Parts {
    rooms: Rooms,
    users: Cache<OwnedUserId, Arc<UserRules>>,
    settled: Cache<(RoomNumber, OwnedUserId), Arc<Settled>, Bytes>,
}

#[derive(Clone)]
struct Bytes;

impl Weighter<(RoomNumber, OwnedUserId), Arc<Settled>> for Bytes {
    fn weight(&self, (_, user): &(RoomNumber, OwnedUserId), settled: &Arc<Settled>) -> u64 {
        user.as_str().len() as u64 + settled.weight()
    }
}

/// A user with the rules that notify them, to count many rooms with.
#[derive(Clone)]
pub struct NotifiedUser {
    user: OwnedUserId,
    rules: Arc<UserRules>,
}

impl NotifiedUser {
    pub(crate) fn user(&self) -> &UserId {
        &self.user
    }

    pub(crate) fn rules(&self) -> &UserRules {
        &self.rules
    }
}

impl Unread {
    pub(crate) fn rooms(&self) -> &Rooms {
        &self.0.rooms
    }

    /// `cache_bytes`: for what is remembered of users with rules of their own.
    pub fn new(rooms: Rooms, cache_bytes: u64) -> Self {
        let items = usize::try_from(cache_bytes / AVERAGE_SETTLED).unwrap_or(usize::MAX);
        let settled = Cache::with_weighter(items, cache_bytes, Bytes);
        Self(Arc::new(Parts { rooms, users: Cache::new(CACHED_USERS), settled }))
    }

    /// A user's rules as they are in the snapshot: once for each response.
    pub async fn notified_user(
        &self,
        snapshot: &Snapshot,
        user: &UserId,
    ) -> Result<NotifiedUser, StoreFault> {
        let rows = Rows::read(snapshot, user).await?;
        let version = rows.version();
        let cached = self.0.users.get(user).filter(|rules| rules.version == version);
        let rules = match cached {
            Some(rules) => rules,
            None => {
                let rules = Arc::new(UserRules::new(rows, user));
                self.0.users.insert(user.to_owned(), Arc::clone(&rules));
                rules
            }
        };
        Ok(NotifiedUser { user: user.to_owned(), rules })
    }

    /// What the user has not read of a room, up to and with the event at `up_to`: `unread_notifications` for a client that does not use
    /// threads. Nothing for who is not joined.
    ///
    /// `snapshot` has everything up to `up_to`, and `view` was taken after it.
    pub async fn counts(
        &self,
        snapshot: &Snapshot,
        notified: &NotifiedUser,
        view: &RoomView,
        up_to: Position,
    ) -> Result<Counts, StoreFault> {
        Ok(self.count(snapshot, notified, view, up_to, false).await?.room())
    }

    /// The same by main timeline and thread: for a client that asks for `unread_thread_notifications`.
    pub async fn counts_by_thread(
        &self,
        snapshot: &Snapshot,
        notified: &NotifiedUser,
        view: &RoomView,
        up_to: Position,
    ) -> Result<RoomCounts, StoreFault> {
        Ok(self.count(snapshot, notified, view, up_to, true).await?.parts)
    }

    async fn count(
        &self,
        snapshot: &Snapshot,
        notified: &NotifiedUser,
        view: &RoomView,
        up_to: Position,
        by_thread: bool,
    ) -> Result<Found, StoreFault> {
        let NotifiedUser { user, rules } = notified;
        let mut in_room = rules.in_room(view);
        if in_room == InRoom::Silent || view.members.membership(user) != Membership::Join {
            return Ok(Found::default());
        }
        if rules.asks_subscriptions && knows_threads(snapshot, user, &view.id).await? {
            // Which events notify depends on the thread.
            in_room = InRoom::Own;
        }
        let marks = Marks::read(snapshot, view.number, user).await?;
        let question = Question { snapshot, view, user, marks, up_to };
        match in_room {
            InRoom::Silent => Ok(Found::default()),
            InRoom::Default if rules.threads().silences_others => {
                let mut found = by_totals::count(&question, by_thread).await?;
                found.keep_highlights_of_threads();
                Ok(found)
            }
            InRoom::Default => Ok(by_totals::count(&question, by_thread).await?),
            InRoom::HighlightsOnly => {
                let mut found = by_totals::count(&question, by_thread).await?;
                found.keep_highlights();
                Ok(found)
            }
            InRoom::Own => {
                let key = (view.number, user.clone());
                let known = self.0.settled.get(&key);
                let settled = by_rules::settle(&self.0.rooms, &question, rules, known.clone()).await?;
                if !known.is_some_and(|known| Arc::ptr_eq(&known, &settled)) {
                    self.0.settled.insert(key, Arc::clone(&settled));
                }
                Ok(Found { parts: settled.counts(up_to), in_some_thread: Counts::default() })
            }
        }
    }
}
