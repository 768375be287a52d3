//! Waking those whom news may concern.
//!
//! Owns: following what the store publishes and what comes and goes in memory. Does not own: what is new (those who wake look), who waits.
//!
//! Invariants: the cost of a publication follows the smaller of a room's local members and those who wait. When news was missed, everybody looks.
//! Presence, of which there is much and which is never urgent, wakes together every [`PRESENCE_EVERY`].

use std::collections::BTreeSet;
use std::time::Duration;

use plop_db::Publication;
use plop_e2ee::schema::ToDeviceMessages;
use plop_ephemeral::schema::ReceiptChanges;
use plop_rooms::loading::LoadError;
use plop_rooms::schema::Timeline;
use plop_state_store::RoomNumber;
use ruma::OwnedUserId;
use tokio::sync::broadcast::error::RecvError;

use crate::changes::user_of;
use crate::core::{Core, Parts};

/// How long changes of presence are gathered.
pub const PRESENCE_EVERY: Duration = Duration::from_secs(2);

/// Users whose presence changed and who are gathered, at most. Beyond it everybody looks.
const MAX_GATHERED: usize = 10_000;

/// Follows until the process stops.
pub async fn run(core: &Core) {
    let Parts { db, tasks, typing, presence, clock, .. } = &core.parts;
    let mut publications = db.subscribe();
    let mut typing = typing.subscribe();
    let mut presence = presence.subscribe();
    let mut gathered = Gathered::default();
    // What came before this was followed by nobody.
    core.waiters.wake_where(|_| true);
    loop {
        let until_due = gathered.due.map(|due| due.saturating_sub(clock.monotonic()));
        tokio::select! {
            publication = publications.recv() => match publication {
                Ok(publication) => published(core, &publication).await,
                Err(RecvError::Lagged(_)) => core.waiters.wake_where(|_| true),
                Err(RecvError::Closed) => return,
            },
            room = typing.recv() => match room {
                Ok(room) => wake_room(core, room).await,
                Err(RecvError::Lagged(_)) => core.waiters.wake_where(|_| true),
                Err(RecvError::Closed) => return,
            },
            user = presence.recv() => match user {
                Ok(user) => gathered.add(Some(user), clock.monotonic()),
                Err(RecvError::Lagged(_)) => gathered.add(None, clock.monotonic()),
                Err(RecvError::Closed) => return,
            },
            () = clock.sleep(until_due.unwrap_or_default()), if until_due.is_some() => {
                presence_changed(core, std::mem::take(&mut gathered)).await;
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

async fn published(core: &Core, publication: &Publication) {
    // Whether somebody looks or not: the store keeps only so much for those who are behind.
    drop(core.changes.now());
    if core.waiters.is_empty() {
        return;
    }
    let mut woken: Vec<RoomNumber> = Vec::new();
    for notice in &publication.notices {
        if let Some((user, _)) = notice.subject::<ToDeviceMessages>() {
            core.waiters.wake(&user);
            continue;
        }
        if let Some(user) = user_of(notice) {
            core.waiters.wake(&user);
            continue;
        }
        let room = notice.subject::<Timeline>().or_else(|| notice.subject::<ReceiptChanges>());
        if let Some(room) = room.filter(|room| !woken.contains(room)) {
            woken.push(room);
            wake_room(core, room).await;
        }
    }
}

async fn presence_changed(core: &Core, changed: Gathered) {
    if changed.everybody {
        return core.waiters.wake_where(|_| true);
    }
    for user in &changed.users {
        if core.waiters.is_empty() {
            return;
        }
        match core.memberships.of(user, &core.changes).await {
            Ok(rooms) => {
                for room in rooms.joined.keys() {
                    wake_room(core, *room).await;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "cannot say whom a presence concerns");
                core.waiters.wake_where(|_| true);
            }
        }
    }
}

async fn wake_room(core: &Core, room: RoomNumber) {
    if core.waiters.is_empty() {
        return;
    }
    match core.parts.rooms.view(room).await {
        Ok(view) => core.waiters.wake_members(&view.members),
        // Known by an invite only: its user is woken by the row of the membership.
        Err(LoadError::NotHere | LoadError::UnknownVersion(_)) => {}
        Err(LoadError::Store(error)) => {
            tracing::warn!(%error, ?room, "cannot say whom a room concerns");
            core.waiters.wake_where(|_| true);
        }
    }
}
