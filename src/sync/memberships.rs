//! Which rooms a user has to do with, in memory.
//!
//! Owns: a bounded cache of each user's rows of `user_rooms`. Does not own: the rows.
//!
//! Invariants: what is given out is no older than the position asked for, and may be newer; each row says since when it holds. Of rooms that are in memory
//! those are read that changed: the cost follows them, not the number of the user's rooms.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use plop_base::changes::ChangeLog;
use plop_db::{Db, KeyRange, Pages, Position, ReadError};
use plop_rooms::schema::{Membership, UserRoomRow, UserRooms};
use plop_state_store::{EventNumber, RoomNumber};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use ruma::{OwnedUserId, UserId};

use crate::changes::SharedChanges;

/// Bytes of rows that are kept, about.
const CACHE_BYTES: u64 = 32 << 20;
/// Rows read at once.
const PAGE: usize = 1_000;

/// A user's row of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserRoom {
    pub membership: Membership,
    /// The member event with which it began, if that is here.
    pub event: Option<EventNumber>,
    /// When the membership changed last.
    pub position: Position,
    pub forgotten: bool,
}

impl From<UserRoomRow> for UserRoom {
    fn from(row: UserRoomRow) -> Self {
        let UserRoomRow { membership, event, position, forgotten } = row;
        Self { membership, event, position, forgotten }
    }
}

/// A user's rooms at some moment. A clone shares everything.
#[derive(Debug, Clone)]
pub struct UserRoomSet {
    /// Everything up to here is in it.
    as_of: Position,
    pub joined: OrdMap<RoomNumber, UserRoom>,
    /// Rooms that the user is invited to, knocks at, or has left.
    pub others: OrdMap<RoomNumber, UserRoom>,
    /// All of them in the order in which their rows changed.
    order: OrdSet<(Position, RoomNumber)>,
}

impl UserRoomSet {
    /// No rooms.
    pub fn new(as_of: Position) -> Self {
        Self { as_of, joined: OrdMap::new(), others: OrdMap::new(), order: OrdSet::new() }
    }

    fn insert(&mut self, room: RoomNumber, row: UserRoom) {
        let of = if row.membership == Membership::Join { &mut self.joined } else { &mut self.others };
        of.insert(room, row);
        self.order.insert((row.position, room));
    }

    fn remove(&mut self, room: RoomNumber) {
        if let Some(row) = self.joined.remove(&room).or_else(|| self.others.remove(&room)) {
            self.order.remove(&(row.position, room));
        }
    }

    /// The user's row of a room.
    pub fn row(&self, room: RoomNumber) -> Option<&UserRoom> {
        self.joined.get(&room).or_else(|| self.others.get(&room))
    }

    /// The rooms whose row changed after a position.
    pub fn moved_after(&self, position: Position) -> impl Iterator<Item = RoomNumber> {
        let after = (Bound::Excluded((position, RoomNumber(u64::MAX))), Bound::Unbounded);
        self.order.range(after).map(|(_, room)| *room)
    }

    /// When a row changed last.
    pub fn newest(&self) -> Position {
        self.order.get_max().map_or(Position::START, |(position, _)| *position)
    }

    /// The joined rooms that changed after a place, by a log of rooms; `None` when that is not known. The cost follows the smaller of both numbers.
    pub fn joined_of<P: Ord + Copy>(
        &self,
        log: &ChangeLog<RoomNumber, P>,
        after: P,
    ) -> Option<Vec<RoomNumber>> {
        let most = self.joined.len();
        let first: Vec<RoomNumber> = log.since(after)?.take(most + 1).map(|(_, room)| *room).collect();
        if first.len() <= most {
            return Some(first.into_iter().filter(|room| self.joined.contains_key(room)).collect());
        }
        Some(self.joined.keys().filter(|room| log.may_have_changed(room, after)).copied().collect())
    }

    /// Whether the user is in one of these rooms.
    pub fn is_in_one_of(&self, rooms: &BTreeSet<RoomNumber>) -> bool {
        if rooms.len() < self.joined.len() {
            rooms.iter().any(|room| self.joined.contains_key(room))
        } else {
            self.joined.keys().any(|room| rooms.contains(room))
        }
    }

    /// Whether two users are in one room.
    pub fn shares_room_with(&self, other: &Self) -> bool {
        let (few, many) = if self.joined.len() < other.joined.len() {
            (&self.joined, &other.joined)
        } else {
            (&other.joined, &self.joined)
        };
        few.keys().any(|room| many.contains_key(room))
    }
}

#[derive(Clone)]
struct ByRooms;

impl Weighter<OwnedUserId, Arc<UserRoomSet>> for ByRooms {
    fn weight(&self, _: &OwnedUserId, set: &Arc<UserRoomSet>) -> u64 {
        const SET: u64 = 256;
        const ROOM: u64 = 88;
        SET + ROOM * (set.joined.len() + set.others.len()) as u64
    }
}

/// The rooms of users.
pub struct Memberships {
    db: Db,
    cache: Cache<OwnedUserId, Arc<UserRoomSet>, ByRooms>,
}

impl Memberships {
    pub fn new(db: Db) -> Self {
        const USUAL_SET: u64 = 4096;
        let users = usize::try_from(CACHE_BYTES / USUAL_SET).unwrap_or(usize::MAX);
        Self { db, cache: Cache::with_weighter(users, CACHE_BYTES, ByRooms) }
    }

    /// A user's rooms as they are now, or were when one of them changed last. Reads nothing if they are in memory and none changed.
    pub async fn of(&self, user: &UserId, changes: &SharedChanges) -> Result<Arc<UserRoomSet>, ReadError> {
        if let Some(set) = self.cache.get(user) {
            let (moved, reached) = {
                let (changes, reached) = changes.now();
                (changes.logs.rooms_of(user, set.as_of), reached)
            };
            match moved {
                Some(moved) if moved.is_empty() => return Ok(set),
                Some(moved) => return self.renew(user, &set, moved, reached).await,
                None => {}
            }
        }
        self.read(user).await
    }

    /// A user's rooms as they were when somebody looked last, if they are in memory.
    pub fn cached(&self, user: &UserId) -> Option<Arc<UserRoomSet>> {
        self.cache.get(user)
    }

    /// A user's rooms as they are now, read anew.
    pub async fn read(&self, user: &UserId) -> Result<Arc<UserRoomSet>, ReadError> {
        let user = user.to_owned();
        let snapshot = self.db.snapshot();
        let mut set = UserRoomSet::new(snapshot.position());
        let mut pages = Pages::new(KeyRange::<UserRooms>::prefix(&user), PAGE);
        while let Some(rows) = pages.next(&snapshot).await? {
            for ((_, room), row) in rows {
                set.insert(room, row.into());
            }
        }
        Ok(self.keep(user, set))
    }

    /// A user's rooms, of which these changed up to a position.
    async fn renew(
        &self,
        user: &UserId,
        before: &UserRoomSet,
        moved: Vec<RoomNumber>,
        reached: Position,
    ) -> Result<Arc<UserRoomSet>, ReadError> {
        // What the snapshot has besides is newer, and read again once it is known of.
        let mut set = UserRoomSet { as_of: reached, ..before.clone() };
        let keys: Vec<_> = moved.into_iter().map(|room| (user.to_owned(), room)).collect();
        let rows = self.db.snapshot().get_many::<UserRooms>(&keys).await?;
        for ((_, room), row) in keys.into_iter().zip(rows) {
            set.remove(room);
            if let Some(row) = row {
                set.insert(room, row.into());
            }
        }
        Ok(self.keep(user.to_owned(), set))
    }

    fn keep(&self, user: OwnedUserId, set: UserRoomSet) -> Arc<UserRoomSet> {
        let set = Arc::new(set);
        self.cache.insert(user, Arc::clone(&set));
        set
    }
}
