//! Which rooms a user has to do with, in memory.
//!
//! Owns: a bounded cache of each user's rows of `user_rooms`. Does not own: the rows.
//!
//! Invariants: what is given out is no older than the position asked for, and may be newer; each row says since when it holds. Whether a room has
//! been forgotten is as of when the rows were read.

use std::collections::BTreeMap;
use std::sync::Arc;

use plop_db::{Db, KeyRange, Pages, Position, ReadError};
use plop_rooms::schema::{Membership, UserRooms};
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

/// A user's rooms at some moment.
#[derive(Debug)]
pub struct UserRoomSet {
    /// Everything up to here is in it.
    as_of: Position,
    pub joined: BTreeMap<RoomNumber, UserRoom>,
    /// Rooms that the user is invited to, knocks at, or has left.
    pub others: BTreeMap<RoomNumber, UserRoom>,
    /// All of them in the order in which their rows changed.
    order: Vec<(Position, RoomNumber)>,
}

impl UserRoomSet {
    fn new(as_of: Position) -> Self {
        Self { as_of, joined: BTreeMap::new(), others: BTreeMap::new(), order: Vec::new() }
    }

    /// The user's row of a room.
    pub fn row(&self, room: RoomNumber) -> Option<&UserRoom> {
        self.joined.get(&room).or_else(|| self.others.get(&room))
    }

    /// The rooms whose row changed after a position.
    pub fn moved_after(&self, position: Position) -> impl Iterator<Item = RoomNumber> {
        let first = self.order.partition_point(|(moved, _)| *moved <= position);
        self.order.iter().skip(first).map(|(_, room)| *room)
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

    /// A user's rooms as they are now, or were when one of them changed last. Reads nothing if they are in memory.
    pub async fn of(&self, user: &UserId, changes: &SharedChanges) -> Result<Arc<UserRoomSet>, ReadError> {
        if let Some(set) = self.cache.get(user) {
            let (changes, _) = changes.now();
            if !changes.logs.memberships.may_have_changed(&user.to_owned(), set.as_of) {
                return Ok(set);
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
                let user_room = UserRoom {
                    membership: row.membership,
                    event: row.event,
                    position: row.position,
                    forgotten: row.forgotten,
                };
                let of = if row.membership == Membership::Join { &mut set.joined } else { &mut set.others };
                of.insert(room, user_room);
                set.order.push((row.position, room));
            }
        }
        set.order.sort_unstable();
        let set = Arc::new(set);
        self.cache.insert(user, Arc::clone(&set));
        Ok(set)
    }
}
