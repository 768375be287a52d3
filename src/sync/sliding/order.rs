//! A user's rooms by recent activity (MSC4186, "Activity ordering"), in memory.
//!
//! Owns: [`UserOrder`], what lists are cut from, and a bounded cache of it. Does not own: what a list has of it ([`super::windows`]).
//!
//! Invariants: no older than the last change that was acknowledged before it is asked for. Of an order that is in memory only what changed is looked
//! at again; what is looked at opens no room.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use plop_db::{Position, Snapshot};
use plop_rooms::schema::{Membership, RoomRecords, Timeline};
use plop_rooms::{Rooms, StoreFault};
use plop_state_store::RoomNumber;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use ruma::{OwnedUserId, RoomVersionId, UserId};

use super::facts::{Facts, RoomFacts};
use crate::changes::SharedChanges;
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
pub enum Standing {
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
    pub standing: Standing,
    /// Whether this server has events of it: else it is still being joined, and here soon.
    pub is_here: bool,
    pub facts: RoomFacts,
}

/// A user's rooms, the most active first.
#[derive(Debug)]
pub struct UserOrder {
    as_of: Position,
    pub rooms: Arc<UserRoomSet>,
    pub listed: Vec<Listed>,
}

impl UserOrder {
    /// No rooms: for who asks about none.
    pub fn empty() -> Self {
        let rooms = Arc::new(UserRoomSet::new(Position::START));
        Self { as_of: Position::START, rooms, listed: Vec::new() }
    }
}

#[derive(Clone)]
struct ByRooms;

impl Weighter<OwnedUserId, Arc<UserOrder>> for ByRooms {
    fn weight(&self, _: &OwnedUserId, order: &Arc<UserOrder>) -> u64 {
        128 + (size_of::<Listed>() * order.listed.len()) as u64
    }
}

/// The orders of users' rooms.
pub struct Orders {
    rooms: Rooms,
    facts: Facts,
    cache: Cache<OwnedUserId, Arc<UserOrder>, ByRooms>,
}

/// What an order is made from.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    pub memberships: &'a Memberships,
    pub changes: &'a SharedChanges,
    pub last_events: &'a LastChanges<Timeline>,
}

impl Orders {
    pub fn new(rooms: Rooms) -> Self {
        const USUAL_ORDER: u64 = 8_192;
        let users = usize::try_from(CACHE_BYTES / USUAL_ORDER).unwrap_or(usize::MAX);
        let cache = Cache::with_weighter(users, CACHE_BYTES, ByRooms);
        Self { facts: Facts::new(rooms.clone()), rooms, cache }
    }

    /// A user's rooms as they are now.
    pub async fn of(&self, user: &UserId, sources: Sources<'_>) -> Result<Arc<UserOrder>, StoreFault> {
        let as_of = sources.changes.now().1;
        let rooms = sources.memberships.of(user, sources.changes).await?;
        let known = self.cache.get(user);
        if let Some(known) = &known
            && Arc::ptr_eq(&known.rooms, &rooms)
            && let Some(changed) = rooms.joined_of(&sources.changes.now().0.logs.events, known.as_of)
            && changed.is_empty()
        {
            return Ok(Arc::clone(known));
        }
        let stale = known.as_ref().and_then(|known| stale(known, &rooms, sources));
        let mut listed = match (&known, &stale) {
            (Some(known), Some(stale)) => {
                let kept = known.listed.iter().filter(|listed| !stale.contains(&listed.room));
                kept.cloned().collect()
            }
            _ => Vec::new(),
        };
        let all = || rooms.joined.keys().chain(rooms.others.keys()).copied().collect();
        let missing: Vec<RoomNumber> = stale.map_or_else(all, |stale| stale.into_iter().collect());
        let snapshot = self.rooms.db().snapshot();
        for (index, room) in missing.into_iter().enumerate() {
            take_turns(index, ROOMS_AT_ONCE).await;
            if let Some(row) = rooms.row(room) {
                listed.push(self.listed(user, &snapshot, room, *row, sources).await?);
            }
        }
        listed.sort_by_key(|listed| Reverse((listed.position, listed.room)));
        let order = Arc::new(UserOrder { as_of, rooms, listed });
        self.cache.insert(user.to_owned(), Arc::clone(&order));
        Ok(order)
    }

    async fn listed(
        &self,
        user: &UserId,
        snapshot: &Snapshot,
        room: RoomNumber,
        row: UserRoom,
        sources: Sources<'_>,
    ) -> Result<Listed, StoreFault> {
        let standing = match row.membership {
            Membership::Join => Standing::Joined,
            Membership::Invite | Membership::Knock if row.forgotten => Standing::Gone,
            Membership::Invite => Standing::Invited,
            Membership::Knock => Standing::Knocking,
            Membership::Leave | Membership::Ban if row.forgotten => Standing::Gone,
            Membership::Leave | Membership::Ban => self.departed(user, snapshot, room, row).await?,
        };
        let mut is_here = true;
        let (position, facts) = match standing {
            Standing::Joined => {
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
            Standing::Invited | Standing::Knocking => {
                (row.position, self.facts.outside(user, room, row.position).await?)
            }
            Standing::ThrownOut | Standing::Gone => (row.position, self.facts.of(room, row.position).await?),
        };
        Ok(Listed { room, position, row, standing, is_here, facts })
    }

    /// Whether somebody who is not in a room was made to leave it.
    async fn departed(
        &self,
        user: &UserId,
        snapshot: &Snapshot,
        room: RoomNumber,
        row: UserRoom,
    ) -> Result<Standing, StoreFault> {
        let record = snapshot.get::<RoomRecords>(&room).await?;
        let version = record.and_then(|record| RoomVersionId::try_from(record.version).ok());
        let rules = version.and_then(|version| plop_state::rules(&version));
        let (Some(rules), Some(number)) = (rules, row.event) else { return Ok(Standing::Gone) };
        let mut event = self.rooms.events().get(snapshot, room, rules, number).await?;
        if event.pdu.sender() == user {
            return Ok(Standing::Gone);
        }
        for _ in 0..MAX_MEMBER_CHANGES {
            let Some(before) = event.facts.replaces else { return Ok(Standing::Gone) };
            event = self.rooms.events().get(snapshot, room, rules, before).await?;
            match Membership::of(&event.pdu, rules) {
                Some(Membership::Join) => return Ok(Standing::ThrownOut),
                // Whoever left and was banned later has seen the departure.
                Some(Membership::Leave) if event.pdu.sender() == user => return Ok(Standing::Gone),
                _ => {}
            }
        }
        Ok(Standing::Gone)
    }
}

/// The rooms that an order has to look at again; `None`: all.
fn stale(known: &UserOrder, rooms: &Arc<UserRoomSet>, sources: Sources<'_>) -> Option<BTreeSet<RoomNumber>> {
    let (changes, _) = sources.changes.now();
    let mut stale: BTreeSet<RoomNumber> =
        rooms.joined_of(&changes.logs.events, known.as_of)?.into_iter().collect();
    // Rows do not go, but for those of users who never were here.
    stale.extend(rooms.moved_after(known.rooms.newest()));
    stale.extend(known.rooms.moved_after(known.as_of));
    let same_number = rooms.joined.len() + rooms.others.len() >= known.listed.len();
    same_number.then_some(stale)
}
