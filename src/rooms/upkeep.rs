//! Rooms follow the accounts of their local members: a new name or picture goes into each member event, and an account that has ended leaves, takes
//! back its knocks and rejects its invites.
//!
//! Owns: working off the list that accounts keep ([`plop_accounts::member_updates`]), after what a restart has interrupted in the rooms
//! themselves ([`crate::projection`]). Does not own: the list, the member events
//! ([`crate::ops::membership`]).
//!
//! Invariants: a user is struck off when all rooms have followed, so what a crash interrupts is done again, and what was done already changes
//! nothing then; a user with thousands of rooms holds up neither the other users nor the rooms' own events, for each member event is an
//! operation like those of clients.

use std::collections::BTreeSet;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, FuturesUnordered, StreamExt as _, TryStreamExt as _};
use plop_accounts::Accounts;
use plop_accounts::member_updates::MemberUpdate;
use plop_accounts::schema::MemberUpdates;
use plop_base::Actor;
use plop_db::{CommitError, ReadError, changed_stream};
use plop_state::json::Object;
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, RoomId};

use crate::fault::StoreFault;
use crate::ops::refusal::Refusal;
use crate::reader::user_rooms::{RoomPages, room_ids};
use crate::rooms::Rooms;
use crate::schema::Membership;

/// Users whose rooms follow at the same time.
const USERS_AT_ONCE: usize = 8;
/// Rooms of one user that follow at the same time: together with the number of users, what a commit may find in its group.
const ROOMS_AT_ONCE: usize = 8;

/// The store did not do its part; the list is worked off later.
#[derive(Debug, thiserror::Error)]
pub enum UpkeepError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Commit(#[from] CommitError),
}

/// The work. Cheap to clone.
#[derive(Clone)]
pub struct Upkeep {
    rooms: Rooms,
    accounts: Accounts,
}

/// The users that are being worked on.
#[derive(Default)]
struct AtWork<'a> {
    users: BTreeSet<OwnedUserId>,
    work: FuturesUnordered<BoxFuture<'a, Result<OwnedUserId, UpkeepError>>>,
}

impl Upkeep {
    pub fn new(rooms: Rooms, accounts: Accounts) -> Self {
        Self { rooms, accounts }
    }

    /// Works off the list, for ever: for a background task.
    pub async fn run(&self) -> Result<(), UpkeepError> {
        self.rooms.catch_up_all().await?;
        let mut publications = self.rooms.core().db.subscribe();
        let mut at_work = AtWork::default();
        loop {
            self.begin(&mut at_work).await?;
            tokio::select! {
                Some(done) = at_work.work.next() => drop(at_work.users.remove(&done?)),
                open = changed_stream::<MemberUpdates>(&mut publications) => if !open { return Ok(()) },
            }
        }
    }

    /// Works off what is on the list now.
    pub async fn catch_up(&self) -> Result<(), UpkeepError> {
        let mut at_work = AtWork::default();
        loop {
            self.begin(&mut at_work).await?;
            match at_work.work.next().await {
                Some(done) => drop(at_work.users.remove(&done?)),
                None => return Ok(()),
            }
        }
    }

    /// Takes up users of the list as far as there is room for them.
    async fn begin<'a>(&'a self, at_work: &mut AtWork<'a>) -> Result<(), UpkeepError> {
        let free = USERS_AT_ONCE.saturating_sub(at_work.users.len());
        if free == 0 {
            return Ok(());
        }
        // Those at work are on the list still.
        let listed = self.accounts.member_updates(USERS_AT_ONCE * 2).await?;
        let waiting = listed.into_iter().filter(|update| !at_work.users.contains(&update.user));
        for update in waiting.take(free).collect::<Vec<_>>() {
            at_work.users.insert(update.user.clone());
            at_work.work.push(Box::pin(self.follow(update)));
        }
        Ok(())
    }

    /// Brings the rooms of a user in line with the account.
    async fn follow(&self, update: MemberUpdate) -> Result<OwnedUserId, UpkeepError> {
        let account = self.accounts.account(&update.user).await?;
        let has_ended = account.is_none_or(|account| account.deactivated.is_some());
        let memberships: &[_] = if has_ended {
            &[Membership::Join, Membership::Invite, Membership::Knock]
        } else {
            &[Membership::Join]
        };
        let actor = Actor::ServerAs { user: update.user.clone() };
        let mut pages = RoomPages::of(&update.user);
        loop {
            let snapshot = self.rooms.core().db.snapshot();
            let Some(page) = pages.next(&snapshot, memberships).await? else { break };
            let rooms = room_ids(&snapshot, &page).await?;
            drop(snapshot);
            let steps = rooms.into_iter().map(|room| self.step(&actor, room, has_ended));
            stream::iter(steps).buffer_unordered(ROOMS_AT_ONCE).try_collect::<()>().await?;
        }
        self.accounts.finish_member_update(&update).await?;
        Ok(update.user)
    }

    /// One member event. A room that cannot follow, because it is damaged say, does not keep the others from it.
    async fn step(&self, actor: &Actor, room: OwnedRoomId, has_ended: bool) -> Result<(), UpkeepError> {
        let outcome = if has_ended {
            self.rooms.leave(actor, &room, &Object::new()).await
        } else {
            self.rooms.refresh_profile(actor, &room).await
        };
        followed(outcome, actor, &room)
    }
}

/// Whether there is more to do for a member whose event was to follow.
pub(crate) fn followed(
    outcome: Result<OwnedEventId, Refusal>,
    actor: &Actor,
    room: &RoomId,
) -> Result<(), UpkeepError> {
    match outcome {
        // Who has left or been banned meanwhile is where they should be.
        Ok(_) | Err(Refusal::NotInRoom | Refusal::Banned) => Ok(()),
        Err(Refusal::Store(StoreFault::Commit(error))) => Err(error.into()),
        Err(refusal) => {
            tracing::warn!(%room, user = ?actor.user_id(), %refusal, "a member event did not follow its account");
            Ok(())
        }
    }
}
