//! Thread subscriptions: which threads a user wants to hear of (MSC4306), and what changed of that (MSC4308).
//!
//! Owns: the rows, the stream of changes, which wish gives way to which. Does not own: whether there is such a thread and what is in it (rooms
//! say that), what the push rules make of it.
//!
//! Invariants: one row for each thread that was ever subscribed to, whose place in the stream is that of its last change: who unsubscribed has a
//! row too, so that a client that comes late cannot subscribe them again because of what they had seen before. A manual wish stands above an automatic
//! one. Stamps rise with every change of a user's. A user has at most [`MAX_THREAD_SUBSCRIPTIONS`] rows; of too many the ones that
//! were given up longest ago go.

use std::fmt;
use std::str::FromStr;

use plop_base::Actor;
use plop_db::{Batch, Direction, KeyRange, Position, ReadError, Snapshot};
use ruma::{EventId, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UserId};

use crate::accounts::Accounts;
use crate::authority::{Forbidden, acting_for};
use crate::error::StoreError;
use crate::schema::{
    ThreadSubscriptionChanges, ThreadSubscriptionRow, ThreadSubscriptionTotals, ThreadSubscriptionTotalsRow,
    ThreadSubscriptions, ThreadWish, Users,
};

/// Most threads of one user: some for each day of many years.
pub const MAX_THREAD_SUBSCRIPTIONS: u32 = 20_000;

/// Rows that are looked through for one that was given up.
const MAX_LOOKED_THROUGH: usize = 500;

/// A thread, as a user sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserThread<'a> {
    pub user: &'a UserId,
    pub room: &'a RoomId,
    pub root: &'a EventId,
}

impl UserThread<'_> {
    fn key(&self) -> (OwnedUserId, OwnedRoomId, OwnedEventId) {
        (self.user.to_owned(), self.room.to_owned(), self.root.to_owned())
    }
}

/// Why a user is to be subscribed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subscribe {
    /// They asked for it.
    Manually,
    /// A client did, because of an event that arrived here.
    Automatically { cause: Position },
}

/// A thread that a user has subscribed to, or did once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadSubscription {
    pub room: OwnedRoomId,
    pub root: OwnedEventId,
    pub wish: ThreadWish,
    /// Of two of the same thread the higher one is the newer.
    pub bump_stamp: u64,
    /// When it changed last.
    pub position: Position,
}

/// Changes of a user's subscriptions, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ThreadSubscriptionsPage {
    pub items: Vec<ThreadSubscription>,
    /// Where to go on, if there are more: [`End::Below`] of the next page.
    pub next: Option<ThreadSubscriptionToken>,
}

/// Where a page of changes begins, seen from its newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With what changed at a position, if anything did.
    At(Position),
    Below(ThreadSubscriptionToken),
}

/// Why a subscription stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum ThreadSubscriptionError {
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// The cause of an automatic one arrived before the user unsubscribed.
    #[error("the user has unsubscribed since")]
    UnsubscribedSince,
    #[error("there are {MAX_THREAD_SUBSCRIPTIONS} threads that the user has subscribed to")]
    TooMany,
    #[error("there is no such account")]
    NoAccount,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ReadError> for ThreadSubscriptionError {
    fn from(error: ReadError) -> Self {
        Self::Store(error.into())
    }
}

impl Accounts {
    /// Subscribes to a thread that the user may see.
    pub async fn subscribe_to_thread(
        &self,
        actor: &Actor,
        thread: UserThread<'_>,
        why: Subscribe,
    ) -> Result<(), ThreadSubscriptionError> {
        self.change_thread(actor, thread, |before| match (why, before) {
            (Subscribe::Manually, Some(row)) if row.wish == ThreadWish::Manual => Ok(None),
            (Subscribe::Manually, _) => Ok(Some(ThreadWish::Manual)),
            (Subscribe::Automatically { cause }, Some(row)) => match row.wish {
                ThreadWish::Manual | ThreadWish::Automatic => Ok(None),
                ThreadWish::Unsubscribed if row.position >= cause => {
                    Err(ThreadSubscriptionError::UnsubscribedSince)
                }
                ThreadWish::Unsubscribed => Ok(Some(ThreadWish::Automatic)),
            },
            (Subscribe::Automatically { .. }, None) => Ok(Some(ThreadWish::Automatic)),
        })
        .await
    }

    /// Ends a subscription, if there is one.
    pub async fn unsubscribe_from_thread(
        &self,
        actor: &Actor,
        thread: UserThread<'_>,
    ) -> Result<(), ThreadSubscriptionError> {
        let is_on = |row: &&ThreadSubscriptionRow| row.wish != ThreadWish::Unsubscribed;
        self.change_thread(actor, thread, |before| Ok(before.filter(is_on).map(|_| ThreadWish::Unsubscribed)))
            .await
    }

    /// Rewrites the row of a thread under the user's guard. `change` gets what is there and says what is to be there, if that is something else.
    async fn change_thread(
        &self,
        actor: &Actor,
        thread: UserThread<'_>,
        change: impl FnOnce(Option<&ThreadSubscriptionRow>) -> Result<Option<ThreadWish>, ThreadSubscriptionError>,
    ) -> Result<(), ThreadSubscriptionError> {
        acting_for(actor, thread.user)?;
        let key = thread.key();
        let user = key.0.clone();
        let guard = self.parts().user_guards.lock(user.as_str()).await;
        let snapshot = self.snapshot();
        let account = self.active_user(&snapshot, &user).await?;
        let account = account.ok_or(ThreadSubscriptionError::NoAccount)?;
        let before = snapshot.get::<ThreadSubscriptions>(&key).await?;
        let Some(wish) = change(before.as_ref())? else { return Ok(()) };
        let stored = snapshot.get::<ThreadSubscriptionTotals>(&user).await?;
        let mut batch = Batch::durable();
        batch.expect::<Users>(&user, Some(&account));
        batch.expect::<ThreadSubscriptions>(&key, before.as_ref());
        batch.expect::<ThreadSubscriptionTotals>(&user, stored.as_ref());
        let (mut rows, stamp) = stored.map_or((0, 0), |row| (row.rows, row.stamp));
        match &before {
            Some(before) => batch.delete::<ThreadSubscriptionChanges>(&(user.clone(), before.position)),
            None if rows < MAX_THREAD_SUBSCRIPTIONS => rows += 1,
            None => make_room(&snapshot, &mut batch, &user).await?,
        }
        let (position, bump_stamp) = (Position::pending(0), stamp.saturating_add(1));
        batch.put::<ThreadSubscriptions>(&key, &ThreadSubscriptionRow { position, wish, bump_stamp });
        let totals = ThreadSubscriptionTotalsRow { rows, stamp: bump_stamp, changed: position };
        batch.put::<ThreadSubscriptionTotals>(&user, &totals);
        let change = (user.clone(), position);
        batch.append::<ThreadSubscriptionChanges>(&user, &change, &(key.1, key.2));
        self.parts().db.commit_under(guard, batch).await.map_err(StoreError::from)?;
        Ok(())
    }
}

/// Lets go of the row that was given up longest ago.
async fn make_room(
    snapshot: &Snapshot,
    batch: &mut Batch,
    user: &OwnedUserId,
) -> Result<(), ThreadSubscriptionError> {
    let oldest = KeyRange::<ThreadSubscriptionChanges>::prefix(user);
    let oldest = snapshot.scan(oldest, Direction::Forward, MAX_LOOKED_THROUGH).await?;
    let keys: Vec<_> =
        oldest.rows.iter().map(|(_, (room, root))| (user.clone(), room.clone(), root.clone())).collect();
    let rows = snapshot.get_many::<ThreadSubscriptions>(&keys).await?;
    let mut found = keys.into_iter().zip(rows).filter_map(|(key, row)| Some((key, row?)));
    let given_up = found.find(|(_, row)| row.wish == ThreadWish::Unsubscribed);
    let (key, row) = given_up.ok_or(ThreadSubscriptionError::TooMany)?;
    batch.delete::<ThreadSubscriptionChanges>(&(user.clone(), row.position));
    batch.delete::<ThreadSubscriptions>(&key);
    Ok(())
}

/// What a user has wished of a thread. It may be newer than the snapshot's position.
pub async fn thread_subscription(
    snapshot: &Snapshot,
    thread: UserThread<'_>,
) -> Result<Option<ThreadWish>, ReadError> {
    Ok(snapshot.get::<ThreadSubscriptions>(&thread.key()).await?.map(|row| row.wish))
}

/// Whether a user is subscribed to each of some threads of a room.
pub async fn are_subscribed(
    snapshot: &Snapshot,
    user: &UserId,
    room: &RoomId,
    roots: &[OwnedEventId],
) -> Result<Vec<bool>, ReadError> {
    let keys: Vec<_> = roots.iter().map(|root| (user.to_owned(), room.to_owned(), root.clone())).collect();
    let rows = snapshot.get_many::<ThreadSubscriptions>(&keys).await?;
    Ok(rows.into_iter().map(|row| row.is_some_and(|row| row.wish != ThreadWish::Unsubscribed)).collect())
}

/// Whether a user has ever subscribed to a thread of a room.
pub async fn knows_threads(snapshot: &Snapshot, user: &UserId, room: &RoomId) -> Result<bool, ReadError> {
    let rows = KeyRange::<ThreadSubscriptions>::prefix(&(user.to_owned(), room.to_owned()));
    Ok(!snapshot.scan(rows, Direction::Forward, 1).await?.rows.is_empty())
}

/// How many threads a user has rows of, and when they changed last.
pub async fn thread_subscription_totals(
    snapshot: &Snapshot,
    user: &UserId,
) -> Result<Option<ThreadSubscriptionTotalsRow>, ReadError> {
    snapshot.get::<ThreadSubscriptionTotals>(&user.to_owned()).await
}

/// What changed after one position, up to an end: the newest, at most `limit`. What changed again after the end is left out: it comes with the
/// next frame.
pub async fn thread_subscription_changes(
    snapshot: &Snapshot,
    user: &UserId,
    after: Position,
    end: End,
    limit: usize,
) -> Result<ThreadSubscriptionsPage, ReadError> {
    let user = user.to_owned();
    let range = KeyRange::<ThreadSubscriptionChanges>::prefix(&user).after(&(user.clone(), after));
    let range = match end {
        End::At(position) => range.to(&(user.clone(), position)),
        End::Below(token) => range.before(&(user.clone(), token.below)),
    };
    let page = snapshot.scan(range, Direction::Backward, limit).await?;
    let last = page.rows.last().map(|((_, position), _)| *position);
    let next = last.filter(|_| page.more).map(|below| ThreadSubscriptionToken { below, after });
    let keys: Vec<_> = page.rows.into_iter().map(|(_, (room, root))| (user.clone(), room, root)).collect();
    let rows = snapshot.get_many::<ThreadSubscriptions>(&keys).await?;
    let items = keys.into_iter().zip(rows).filter_map(|((_, room, root), row)| {
        let ThreadSubscriptionRow { position, wish, bump_stamp } = row?;
        Some(ThreadSubscription { room, root, wish, bump_stamp, position })
    });
    Ok(ThreadSubscriptionsPage { items: items.collect(), next })
}

/// What comes before every token's text.
const PREFIX: &str = "ts1_";
/// Of a position's text.
const POSITION_DIGITS: usize = 24;

/// What is left of a page of changes: those right below a change, down to one that the client has. Whose they are, it does not say: everybody reads their own
/// changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThreadSubscriptionToken {
    below: Position,
    after: Position,
}

impl ThreadSubscriptionToken {
    /// The change that it is right below.
    pub fn below(self) -> Position {
        self.below
    }

    /// The position after which it ends.
    pub fn after(self) -> Position {
        self.after
    }
}

/// A text that is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a token of thread subscriptions")]
pub struct NoToken;

impl fmt::Display for ThreadSubscriptionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}{}", self.below.to_hex(), self.after.to_hex())
    }
}

impl FromStr for ThreadSubscriptionToken {
    type Err = NoToken;

    fn from_str(text: &str) -> Result<Self, NoToken> {
        let digits = text.strip_prefix(PREFIX).ok_or(NoToken)?;
        let (below, after) = digits.split_at_checked(POSITION_DIGITS).ok_or(NoToken)?;
        let position = |digits| Position::from_hex(digits).ok_or(NoToken);
        Ok(Self { below: position(below)?, after: position(after)? })
    }
}
