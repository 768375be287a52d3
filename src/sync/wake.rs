//! Waking those whom news may concern.
//!
//! Owns: following what the store publishes and what comes and goes in memory. Does not own: what is new (those who wake look), who waits.
//!
//! Invariants: the cost of a publication follows the smaller of a room's local members and those who wait. When news was missed, everybody looks.
//! Nothing is read to wake for a publication, and no room is loaded for anything: who waits for a room that is not in memory is found by their own rooms,
//! which are. What concerns all who share a room with somebody (presence, device lists) is gathered, and wakes together by a task of its own, which may read.

use std::collections::BTreeSet;
use std::time::Duration;

use plop_accounts::schema::DeviceListChanges;
use plop_db::{Publication, ReadError};
use plop_e2ee::schema::ToDeviceMessages;
use plop_ephemeral::schema::ReceiptChanges;
use plop_rooms::schema::Timeline;
use plop_state_store::RoomNumber;
use ruma::{OwnedUserId, UserId};
use tokio::sync::broadcast::error::RecvError;

use crate::changes::user_of;
use crate::shared::{Parts, Shared};
use crate::turns::take_turns;

/// How long changes of presence are gathered.
pub const PRESENCE_EVERY: Duration = Duration::from_secs(2);

/// How long changes of device lists are gathered.
const DEVICE_LISTS_EVERY: Duration = Duration::from_millis(100);

/// Users who are gathered, at most. Beyond it everybody looks.
const MAX_GATHERED: usize = 10_000;

/// Users who are looked at before others get a turn.
const USERS_AT_ONCE: usize = 256;

/// Follows publications and typing until the process stops.
pub async fn run(shared: &Shared) {
    let Parts { db, tasks, typing, .. } = &shared.parts;
    let mut publications = db.subscribe();
    let mut typing = typing.subscribe();
    // What came before this was followed by nobody.
    shared.waiters.wake_where(|_| true);
    loop {
        tokio::select! {
            publication = publications.recv() => match publication {
                Ok(publication) => published(shared, &publication),
                Err(RecvError::Lagged(_)) => shared.waiters.wake_where(|_| true),
                Err(RecvError::Closed) => return,
            },
            room = typing.recv() => match room {
                Ok(room) => wake_room(shared, room),
                Err(RecvError::Lagged(_)) => shared.waiters.wake_where(|_| true),
                Err(RecvError::Closed) => return,
            },
            _ = tasks.shutdown_requested() => return,
        }
    }
}

/// Follows presence and device lists until the process stops.
pub async fn run_gathering(shared: &Shared) {
    let Parts { db, tasks, presence, clock, .. } = &shared.parts;
    let mut publications = db.subscribe();
    let mut presence = presence.subscribe();
    let (mut present, mut lists) = (Gathered::default(), Gathered::default());
    shared.waiters.wake_where(|_| true);
    loop {
        let due = [present.due, lists.due].into_iter().flatten().min();
        let until_due = due.map(|due| due.saturating_sub(clock.monotonic()));
        tokio::select! {
            user = presence.recv() => match user {
                Ok(user) => present.add(Some(user), clock.monotonic().saturating_add(PRESENCE_EVERY)),
                Err(RecvError::Lagged(_)) => present.add(None, clock.monotonic().saturating_add(PRESENCE_EVERY)),
                Err(RecvError::Closed) => return,
            },
            publication = publications.recv() => {
                let due = clock.monotonic().saturating_add(DEVICE_LISTS_EVERY);
                match publication {
                    Ok(publication) => for notice in &publication.notices {
                        if let Some(user) = notice.subject::<DeviceListChanges>() {
                            lists.add(Some(user), due);
                        }
                    },
                    Err(RecvError::Lagged(_)) => lists.add(None, due),
                    Err(RecvError::Closed) => return,
                }
            },
            () = clock.sleep(until_due.unwrap_or_default()), if until_due.is_some() => {
                for gathered in [&mut present, &mut lists] {
                    if gathered.due.is_some_and(|due| due <= clock.monotonic()) {
                        wake_sharing(shared, std::mem::take(gathered)).await;
                    }
                }
            }
            _ = tasks.shutdown_requested() => return,
        }
    }
}

/// Users with news for all who share a room with them.
#[derive(Default)]
struct Gathered {
    users: BTreeSet<OwnedUserId>,
    /// Too many, or missed.
    everybody: bool,
    /// When they are to be told of.
    due: Option<Duration>,
}

impl Gathered {
    /// Adds a user, or all. The first one says when.
    fn add(&mut self, user: Option<OwnedUserId>, due: Duration) {
        self.due.get_or_insert(due);
        match user {
            Some(user) if self.users.len() < MAX_GATHERED => {
                self.users.insert(user);
            }
            _ => self.everybody = true,
        }
    }
}

/// Wakes those whom news concern.
fn published(shared: &Shared, publication: &Publication) {
    // Whether somebody looks or not: the store keeps only so much for those who are behind.
    drop(shared.changes.now());
    if shared.waiters.is_empty() {
        return;
    }
    let mut rooms: BTreeSet<RoomNumber> = BTreeSet::new();
    for notice in &publication.notices {
        if let Some((user, _)) = notice.subject::<ToDeviceMessages>() {
            shared.waiters.wake(&user);
        } else if let Some(user) = user_of(notice) {
            shared.waiters.wake(&user);
        } else if let Some(user) = notice.subject::<DeviceListChanges>() {
            // Others hear of it a moment later: see [`run_gathering`].
            shared.waiters.wake(&user);
        } else {
            rooms.extend(notice.subject::<Timeline>().or_else(|| notice.subject::<ReceiptChanges>()));
        }
    }
    rooms.into_iter().for_each(|room| wake_room(shared, room));
}

/// Wakes the members of a room.
fn wake_room(shared: &Shared, room: RoomNumber) {
    if shared.waiters.is_empty() {
        return;
    }
    match shared.parts.rooms.loaded_view(room) {
        Some(view) => shared.waiters.wake_members(&view.members),
        None => {
            let room = BTreeSet::from([room]);
            shared.waiters.wake_where(|user| may_be_in(shared, user, &room));
        }
    }
}

/// Whether a user is in one of these rooms, as far as can be told from memory: one of whom nothing is known looks for themselves. Those who wait have
/// looked a moment ago, and whose rooms changed since is woken by that.
fn may_be_in(shared: &Shared, user: &UserId, rooms: &BTreeSet<RoomNumber>) -> bool {
    shared.memberships.cached(user).is_none_or(|cached| cached.is_in_one_of(rooms))
}

/// Wakes those who are in a room with one of these users.
async fn wake_sharing(shared: &Shared, news: Gathered) {
    if news.everybody {
        return shared.waiters.wake_where(|_| true);
    }
    if shared.waiters.is_empty() {
        return;
    }
    match rooms_of(shared, &news.users).await {
        Ok(rooms) => {
            for (index, user) in shared.waiters.users().iter().enumerate() {
                take_turns(index, USERS_AT_ONCE).await;
                if may_be_in(shared, user, &rooms) {
                    shared.waiters.wake(user);
                }
            }
        }
        Err(error) => {
            tracing::warn!(%error, "cannot say who shares a room");
            shared.waiters.wake_where(|_| true);
        }
    }
}

/// The rooms that some users are in.
async fn rooms_of(shared: &Shared, users: &BTreeSet<OwnedUserId>) -> Result<BTreeSet<RoomNumber>, ReadError> {
    let mut rooms = BTreeSet::new();
    for (index, user) in users.iter().enumerate() {
        take_turns(index, USERS_AT_ONCE).await;
        rooms.extend(shared.memberships.of(user, &shared.changes).await?.joined.keys());
    }
    Ok(rooms)
}
