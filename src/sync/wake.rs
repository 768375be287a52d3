//! Waking those whom news may concern.
//!
//! Owns: following what the store publishes and what comes and goes in memory. Does not own: what is new (those who wake look), who waits.
//!
//! Invariants: the cost of a publication follows the smaller of a room's local members and those who wait. When news was missed, everybody looks.
//! Nothing is read to wake for a publication, but the rooms of a user whose device list changed, if they are not in memory; no room is loaded for anything: who waits for a room that is not in memory is found by their
//! own rooms, which are. Presence, of which there is much and which is never urgent, wakes together every [`PRESENCE_EVERY`], by a task of its own.

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

/// Users whose presence changed and who are gathered, at most. Beyond it everybody looks.
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
                Ok(publication) => {
                    let lists = published(shared, &publication);
                    device_lists_changed(shared, &lists).await;
                }
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

/// Follows presence until the process stops.
pub async fn run_presence(shared: &Shared) {
    let Parts { tasks, presence, clock, .. } = &shared.parts;
    let mut presence = presence.subscribe();
    let mut gathered = Gathered::default();
    shared.waiters.wake_where(|_| true);
    loop {
        let until_due = gathered.due.map(|due| due.saturating_sub(clock.monotonic()));
        tokio::select! {
            user = presence.recv() => match user {
                Ok(user) => gathered.add(Some(user), clock.monotonic()),
                Err(RecvError::Lagged(_)) => gathered.add(None, clock.monotonic()),
                Err(RecvError::Closed) => return,
            },
            () = clock.sleep(until_due.unwrap_or_default()), if until_due.is_some() => {
                presence_changed(shared, std::mem::take(&mut gathered)).await;
            }
            _ = tasks.shutdown_requested() => return,
        }
    }
}

/// Users whose presence changed.
#[derive(Default)]
struct Gathered {
    users: BTreeSet<OwnedUserId>,
    /// Too many, or missed.
    everybody: bool,
    /// When they are to be told of.
    due: Option<Duration>,
}

impl Gathered {
    fn add(&mut self, user: Option<OwnedUserId>, now: Duration) {
        self.due.get_or_insert(now.saturating_add(PRESENCE_EVERY));
        match user {
            Some(user) if self.users.len() < MAX_GATHERED => {
                self.users.insert(user);
            }
            _ => self.everybody = true,
        }
    }
}

/// Wakes those whom news concern; names the users whose device lists changed, too.
fn published(shared: &Shared, publication: &Publication) -> BTreeSet<OwnedUserId> {
    let mut lists = BTreeSet::new();
    // Whether somebody looks or not: the store keeps only so much for those who are behind.
    drop(shared.changes.now());
    if shared.waiters.is_empty() {
        return lists;
    }
    let mut rooms: BTreeSet<RoomNumber> = BTreeSet::new();
    for notice in &publication.notices {
        if let Some((user, _)) = notice.subject::<ToDeviceMessages>() {
            shared.waiters.wake(&user);
        } else if let Some(user) = user_of(notice) {
            shared.waiters.wake(&user);
        } else if let Some(user) = notice.subject::<DeviceListChanges>() {
            lists.insert(user);
        } else {
            rooms.extend(notice.subject::<Timeline>().or_else(|| notice.subject::<ReceiptChanges>()));
        }
    }
    rooms.into_iter().for_each(|room| wake_room(shared, room));
    lists
}

/// Wakes those who are in a room with somebody whose device list changed, and that user.
async fn device_lists_changed(shared: &Shared, changed: &BTreeSet<OwnedUserId>) {
    if changed.is_empty() || shared.waiters.is_empty() {
        return;
    }
    changed.iter().for_each(|user| shared.waiters.wake(user));
    wake_sharing(shared, changed).await;
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

async fn presence_changed(shared: &Shared, changed: Gathered) {
    if changed.everybody {
        return shared.waiters.wake_where(|_| true);
    }
    wake_sharing(shared, &changed.users).await;
}

/// Wakes those who are in a room with one of these users.
async fn wake_sharing(shared: &Shared, users: &BTreeSet<OwnedUserId>) {
    match rooms_of(shared, users).await {
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
