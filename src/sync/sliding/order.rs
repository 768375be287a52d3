//! A user's rooms by recent activity (MSC4186, "Activity ordering"), in memory.
//!
//! Owns: [`UserOrder`], what lists are cut from, and a bounded cache of it. Does not own: what a list has of it ([`super::windows`]).
//!
//! Invariants: no older than the last change that was acknowledged before it is asked for. Of an order that is in memory only what changed is looked
//! at again; what is looked at opens no room. An invite that the user does not want to see is in no list and counted by none; nothing is read to decide it
//! anew when the user thinks otherwise.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use plop_db::{Position, ReadError, Snapshot};
use plop_rooms::schema::{Membership, Timeline};
use plop_rooms::{Rooms, StoreFault};
use plop_state_store::RoomNumber;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use ruma::{OwnedUserId, UserId};

use super::facts::{self, Facts, RoomFacts};
use super::invites::{InviteRules, Invites};
use crate::changes::SharedChanges;
use crate::ignored::IgnoredUsers;
use crate::last_changes::LastChanges;
use crate::memberships::{Memberships, UserRoom, UserRoomSet};
use crate::turns::take_turns;

/// Bytes of orders that are kept, about.
const CACHE_BYTES: u64 = 32 << 20;
/// Rooms that are looked at before others get a turn.
const ROOMS_AT_ONCE: usize = 64;
/// Member events that are followed back to see whether somebody who is banned was in the room.
const MAX_MEMBER_CHANGES: usize = 16;

/// How a user stands to a room of theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListedMembership {
    Joined,
    Invited,
    Knocking,
    /// Kicked or banned: the user may not have seen it.
    ThrownOut,
    /// Left, or was never in it, or has forgotten it: told once, to who has it.
    Gone,
}

/// A room of a user.
#[derive(Debug, Clone)]
pub struct Listed {
    pub room: RoomNumber,
    /// Its last activity.
    pub position: Position,
    pub row: UserRoom,
    pub membership: ListedMembership,
    /// Whether this server has events of it: else it is still being joined, and here soon.
    pub is_here: bool,
    pub facts: RoomFacts,
    /// Who invites the user, if that can be said.
    inviter: Option<OwnedUserId>,
}

/// A user's rooms, the most active first.
#[derive(Debug)]
pub struct UserOrder {
    as_of: Position,
    pub rooms: Arc<UserRoomSet>,
    pub listed: Vec<Listed>,
    /// Invites that the user does not want to see.
    hidden: Vec<Listed>,
    /// What says so; `None`: there are no invites.
    rules: Option<InviteRules>,
}

impl UserOrder {
    /// No rooms: for who asks about none.
    pub fn empty() -> Self {
        let rooms = Arc::new(UserRoomSet::new(Position::START));
        Self { as_of: Position::START, rooms, listed: Vec::new(), hidden: Vec::new(), rules: None }
    }
}

#[derive(Clone)]
struct ByRooms;

impl Weighter<OwnedUserId, Arc<UserOrder>> for ByRooms {
    fn weight(&self, _: &OwnedUserId, order: &Arc<UserOrder>) -> u64 {
        128 + (size_of::<Listed>() * (order.listed.len() + order.hidden.len())) as u64
    }
}

/// The orders of users' rooms.
pub struct Orders {
    rooms: Rooms,
    facts: Facts,
    invites: Invites,
    cache: Cache<OwnedUserId, Arc<UserOrder>, ByRooms>,
}

/// What an order is made from.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    pub memberships: &'a Memberships,
    pub changes: &'a SharedChanges,
    pub last_events: &'a LastChanges<Timeline>,
    pub ignored: &'a IgnoredUsers,
}

impl Orders {
    pub fn new(rooms: Rooms) -> Self {
        const USUAL_ORDER: u64 = 8_192;
        let users = usize::try_from(CACHE_BYTES / USUAL_ORDER).unwrap_or(usize::MAX);
        let cache = Cache::with_weighter(users, CACHE_BYTES, ByRooms);
        Self { facts: Facts::new(rooms.clone()), rooms, invites: Invites::default(), cache }
    }

    /// A user's rooms as they are now.
    pub async fn of(&self, user: &UserId, sources: Sources<'_>) -> Result<Arc<UserOrder>, StoreFault> {
        let as_of = sources.changes.now().1;
        let rooms = sources.memberships.of(user, sources.changes).await?;
        let known = self.cache.get(user);
        if let Some(known) = &known
            && has_same_rooms(known, &rooms, sources.changes)
            && self.has_same_rules(known, user, sources).await?
        {
            return Ok(Arc::clone(known));
        }
        let stale = known.as_ref().and_then(|known| stale(known, &rooms, sources));
        let mut all: Vec<Listed> = match (&known, &stale) {
            (Some(known), Some(stale)) => {
                let all = known.listed.iter().chain(&known.hidden);
                all.filter(|listed| !stale.contains(&listed.room)).cloned().collect()
            }
            _ => Vec::new(),
        };
        let everything = || rooms.joined.keys().chain(rooms.others.keys()).copied().collect();
        let missing: Vec<RoomNumber> = stale.map_or_else(everything, |stale| stale.into_iter().collect());
        let snapshot = self.rooms.db().snapshot();
        for (index, room) in missing.into_iter().enumerate() {
            take_turns(index, ROOMS_AT_ONCE).await;
            if let Some(row) = rooms.row(room) {
                all.push(self.listed(user, &snapshot, room, *row, sources).await?);
            }
        }
        let rules = match all.iter().any(|listed| listed.inviter.is_some()) {
            true => Some(self.rules(user, sources).await?),
            false => None,
        };
        let is_wanted = |listed: &Listed| {
            let asked = rules.as_ref().zip(listed.inviter.as_ref());
            asked.is_none_or(|(rules, inviter)| rules.allow(inviter))
        };
        let (mut listed, hidden): (Vec<Listed>, Vec<Listed>) = all.into_iter().partition(is_wanted);
        listed.sort_by_key(|listed| Reverse((listed.position, listed.room)));
        let order = Arc::new(UserOrder { as_of, rooms, listed, hidden, rules });
        self.cache.insert(user.to_owned(), Arc::clone(&order));
        Ok(order)
    }

    async fn rules(&self, user: &UserId, sources: Sources<'_>) -> Result<InviteRules, ReadError> {
        self.invites.rules(user, sources.ignored, sources.changes).await
    }

    /// Whether the user still wants to see the same invites.
    async fn has_same_rules(
        &self,
        known: &UserOrder,
        user: &UserId,
        sources: Sources<'_>,
    ) -> Result<bool, ReadError> {
        Ok(match &known.rules {
            Some(rules) => rules.are(&self.rules(user, sources).await?),
            None => true,
        })
    }

    async fn listed(
        &self,
        user: &UserId,
        snapshot: &Snapshot,
        room: RoomNumber,
        row: UserRoom,
        sources: Sources<'_>,
    ) -> Result<Listed, StoreFault> {
        let membership = match row.membership {
            Membership::Join => ListedMembership::Joined,
            Membership::Invite | Membership::Knock if row.forgotten => ListedMembership::Gone,
            Membership::Invite => ListedMembership::Invited,
            Membership::Knock => ListedMembership::Knocking,
            Membership::Leave | Membership::Ban if row.forgotten => ListedMembership::Gone,
            Membership::Leave | Membership::Ban => self.departed(user, snapshot, room, row).await?,
        };
        let (mut is_here, mut inviter) = (true, None);
        let (position, facts) = match membership {
            ListedMembership::Joined => {
                let last = {
                    let (changes, _) = sources.changes.now();
                    sources.last_events.last(&changes.logs.events, room)
                };
                let last = match last {
                    Some(last) => last,
                    None => sources.last_events.read(&self.rooms.db().snapshot(), room).await?,
                };
                is_here = last.is_some();
                let position = last.unwrap_or(row.position);
                (position, self.facts.of(room, position).await?)
            }
            ListedMembership::Invited | ListedMembership::Knocking => {
                let (facts, by) = self.facts.outside(snapshot, user, room, row).await?;
                inviter = by.filter(|_| membership == ListedMembership::Invited);
                (row.position, facts)
            }
            ListedMembership::ThrownOut | ListedMembership::Gone => {
                (row.position, self.facts.of(room, row.position).await?)
            }
        };
        Ok(Listed { room, position, row, membership, is_here, facts, inviter })
    }

    /// Whether somebody who is not in a room was made to leave it.
    async fn departed(
        &self,
        user: &UserId,
        snapshot: &Snapshot,
        room: RoomNumber,
        row: UserRoom,
    ) -> Result<ListedMembership, StoreFault> {
        let rules = facts::rules(snapshot, room).await?;
        let (Some(rules), Some(number)) = (rules, row.event) else { return Ok(ListedMembership::Gone) };
        let mut event = self.rooms.events().get(snapshot, room, rules, number).await?;
        if event.pdu.sender() == user {
            return Ok(ListedMembership::Gone);
        }
        for _ in 0..MAX_MEMBER_CHANGES {
            let Some(before) = event.facts.replaces else { return Ok(ListedMembership::Gone) };
            event = self.rooms.events().get(snapshot, room, rules, before).await?;
            match Membership::of(&event.pdu, rules) {
                Some(Membership::Join) => return Ok(ListedMembership::ThrownOut),
                // Whoever left and was banned later has seen the departure.
                Some(Membership::Leave) if event.pdu.sender() == user => return Ok(ListedMembership::Gone),
                _ => {}
            }
        }
        Ok(ListedMembership::Gone)
    }
}

/// Whether nothing came in any of the user's rooms.
fn has_same_rooms(known: &UserOrder, rooms: &Arc<UserRoomSet>, changes: &SharedChanges) -> bool {
    let (changes, _) = changes.now();
    let changed = || rooms.joined_of(&changes.logs.events, known.as_of);
    Arc::ptr_eq(&known.rooms, rooms) && changed().is_some_and(|changed| changed.is_empty())
}

/// The rooms that an order has to look at again; `None`: all.
fn stale(known: &UserOrder, rooms: &Arc<UserRoomSet>, sources: Sources<'_>) -> Option<BTreeSet<RoomNumber>> {
    let (changes, _) = sources.changes.now();
    let mut stale: BTreeSet<RoomNumber> =
        rooms.joined_of(&changes.logs.events, known.as_of)?.into_iter().collect();
    // Rows do not go, but for those of users who never were here.
    stale.extend(rooms.moved_after(known.rooms.newest()));
    stale.extend(known.rooms.moved_after(known.as_of));
    let same_number = rooms.joined.len() + rooms.others.len() >= known.listed.len() + known.hidden.len();
    same_number.then_some(stale)
}
