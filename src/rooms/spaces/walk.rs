//! Walks through spaces that have not come to their end.
//!
//! Owns: where a walk stands, and the walks that are kept between two pages, in memory. Does not own: what comes onto a page ([`super`]).
//!
//! Invariants: what is kept is bounded by bytes, and a walk that has been pushed out or is from before a restart begins anew. A token belongs to one
//! user and one set of terms, cannot be guessed, and says the same each time: a repeated request gets the same page.

use std::collections::BTreeSet;
use std::sync::Arc;

use plop_base::Random;
use plop_state_store::RoomNumber;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use ruma::{OwnedRoomId, OwnedUserId};

/// Bytes of walks that are kept, about.
const KEPT_BYTES: u64 = 16 << 20;
/// Rooms that one walk comes to, shown or not.
const MAX_ROOMS: usize = 5_000;
/// What every token begins with: the kind of token and the version of its form.
const PREFIX: &str = "s1_";

/// What a walk is of, and whose: what cannot change between two pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Terms {
    pub user: OwnedUserId,
    pub root: OwnedRoomId,
    pub suggested_only: bool,
    pub max_depth: u64,
}

/// Where a walk stands.
#[derive(Debug, Clone)]
pub(crate) struct Walk {
    terms: Terms,
    /// The spaces that it is in, the root first.
    spaces: Vec<Children>,
    seen: BTreeSet<RoomNumber>,
}

/// The children of a space, as they were when the walk came to it.
#[derive(Debug, Clone)]
struct Children {
    rooms: Arc<[OwnedRoomId]>,
    next: usize,
}

impl Walk {
    /// At its beginning.
    pub fn new(terms: Terms) -> Self {
        Self { terms, spaces: Vec::new(), seen: BTreeSet::new() }
    }

    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The next room on the way.
    pub fn next(&mut self) -> Option<OwnedRoomId> {
        if self.is_over() {
            return None;
        }
        let space = self.spaces.last_mut()?;
        let room = space.rooms.get(space.next).cloned();
        space.next += 1;
        room
    }

    /// Whether this room comes for the first time. A walk that has come to too many ends.
    pub fn enter(&mut self, room: RoomNumber) -> bool {
        if self.seen.len() == MAX_ROOMS {
            self.spaces.clear();
            return false;
        }
        self.seen.insert(room)
    }

    /// Goes on with the children of the room that came last, unless that is too deep.
    pub fn descend(&mut self, rooms: Arc<[OwnedRoomId]>) {
        if (self.spaces.len() as u64) < self.terms.max_depth {
            self.spaces.push(Children { rooms, next: 0 });
        }
    }

    /// Whether nothing is left; leaves the spaces that it is through with.
    pub fn is_over(&mut self) -> bool {
        while self.spaces.last().is_some_and(|space| space.next >= space.rooms.len()) {
            self.spaces.pop();
        }
        self.spaces.is_empty()
    }
}

#[derive(Clone)]
struct ByRooms;

impl Weighter<String, Arc<Walk>> for ByRooms {
    fn weight(&self, _: &String, walk: &Arc<Walk>) -> u64 {
        const WALK: usize = 512;
        const CHILD: usize = 80;
        const SEEN: usize = 16;
        let children: usize = walk.spaces.iter().map(|space| space.rooms.len()).sum();
        (WALK + CHILD * children + SEEN * walk.seen.len()) as u64
    }
}

/// Walks by their tokens.
pub(crate) struct Walks(Cache<String, Arc<Walk>, ByRooms>);

impl Default for Walks {
    fn default() -> Self {
        const USUAL_WALK: u64 = 8 << 10;
        let walks = usize::try_from(KEPT_BYTES / USUAL_WALK).unwrap_or(usize::MAX);
        Self(Cache::with_weighter(walks, KEPT_BYTES, ByRooms))
    }
}

impl Walks {
    /// Keeps a walk; the token to go on with.
    pub fn keep(&self, walk: Walk, random: &Random) -> String {
        // 24 letters and digits are 142 bits.
        const LETTERS: usize = 24;
        let token = format!("{PREFIX}{}", random.token(LETTERS));
        self.0.insert(token.clone(), Arc::new(walk));
        token
    }

    /// The walk of a token, on these terms.
    pub fn resume(&self, token: &str, terms: &Terms) -> Option<Walk> {
        let walk = self.0.get(token)?;
        (walk.terms == *terms).then(|| Walk::clone(&walk))
    }
}

#[cfg(test)]
mod tests {
    use ruma::{owned_room_id, owned_user_id};

    use super::*;

    fn walk(max_depth: u64) -> Walk {
        let (user, root) = (owned_user_id!("@alice:plop.example"), owned_room_id!("!root"));
        Walk::new(Terms { user, root, suggested_only: false, max_depth })
    }

    fn rooms(names: &[&str]) -> Arc<[OwnedRoomId]> {
        names.iter().map(|name| OwnedRoomId::try_from(format!("!{name}")).expect("a room id")).collect()
    }

    #[test]
    fn it_goes_down_before_it_goes_on_and_not_too_deep() {
        let mut walk = walk(2);
        walk.descend(rooms(&["a", "b"]));
        assert_eq!(walk.next(), Some(owned_room_id!("!a")));
        walk.descend(rooms(&["c"]));
        assert_eq!(walk.next(), Some(owned_room_id!("!c")));
        walk.descend(rooms(&["too deep"]));
        assert_eq!(walk.next(), Some(owned_room_id!("!b")));
        assert_eq!((walk.next(), walk.is_over()), (None, true));
    }

    /// Row 142 of the hostile input: cyclic spaces, spaces without end.
    #[test]
    fn row_142_a_walk_comes_to_a_room_once_and_to_so_many_in_all() {
        let mut walk = walk(20);
        walk.descend(rooms(&["a", "b"]));
        assert!(walk.enter(RoomNumber(1)) && !walk.enter(RoomNumber(1)));
        for number in 2..=5_000 {
            assert!(walk.enter(RoomNumber(number)));
        }
        assert!(!walk.is_over() && !walk.enter(RoomNumber(5_001)) && walk.is_over());
    }

    #[test]
    fn a_token_opens_one_walk_on_its_own_terms_as_often_as_it_is_asked_for() {
        let (walks, random) = (Walks::default(), Random::seeded(1));
        let mut walk = walk(2);
        walk.descend(rooms(&["a"]));
        let terms = walk.terms().clone();
        let token = walks.keep(walk, &random);
        for _ in 0..2 {
            let mut walk = walks.resume(&token, &terms).expect("the walk");
            assert_eq!((walk.next(), walk.next()), (Some(owned_room_id!("!a")), None));
        }
        let other = Terms { user: owned_user_id!("@bob:plop.example"), ..terms.clone() };
        assert!(walks.resume(&token, &other).is_none() && walks.resume("s1_x", &terms).is_none());
    }
}
