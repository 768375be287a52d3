//! Who came to a room or left it last when, in memory.
//!
//! Owns: [`MemberMoves`], fed with what the store publishes. Does not own: what the membership is now.
//!
//! Invariants: a user has one entry for each room, at the newest position. At most `capacity` entries are kept. A question about what is forgotten, or was
//! before the log, is not answered. What an answer costs follows what moved in the rooms that it is about.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use plop_base::changes::ChangeLog;
use plop_db::Position;
use plop_state_store::RoomNumber;
use ruma::OwnedUserId;

/// The last move of each user in each room.
pub struct MemberMoves {
    floor: Position,
    capacity: usize,
    last: BTreeMap<(RoomNumber, OwnedUserId), Position>,
    by_room: BTreeMap<(RoomNumber, Position), BTreeSet<OwnedUserId>>,
    /// The keys of these, the oldest first.
    order: BTreeSet<(Position, RoomNumber)>,
    /// When somebody moved last in a room.
    pub rooms: ChangeLog<RoomNumber, Position>,
}

impl MemberMoves {
    /// A log that knows nothing of what was up to a position.
    pub fn new(floor: Position, capacity: usize) -> Self {
        let (last, by_room, order) = Default::default();
        Self { floor, capacity, last, by_room, order, rooms: ChangeLog::new(floor, capacity) }
    }

    /// A user came or left, at a position that is not below the one before.
    pub fn record(&mut self, room: RoomNumber, user: OwnedUserId, position: Position) {
        if let Some(before) = self.last.insert((room, user.clone()), position)
            && let Some(users) = self.by_room.get_mut(&(room, before))
        {
            users.remove(&user);
            if users.is_empty() {
                self.by_room.remove(&(room, before));
                self.order.remove(&(before, room));
            }
        }
        self.rooms.record(&room, position);
        self.by_room.entry((room, position)).or_default().insert(user);
        self.order.insert((position, room));
        while self.last.len() > self.capacity
            && let Some((position, room)) = self.order.pop_first()
        {
            for user in self.by_room.remove(&(room, position)).unwrap_or_default() {
                self.last.remove(&(room, user));
            }
            self.floor = position;
        }
    }

    /// Who moved in a room after a position, up to another; `None` when that is not known.
    pub fn in_room(&self, room: RoomNumber, after: Position, to: Position) -> Option<Vec<OwnedUserId>> {
        (after >= self.floor).then(|| self.within(room, after, to).cloned().collect())
    }

    fn within(&self, room: RoomNumber, after: Position, to: Position) -> impl Iterator<Item = &OwnedUserId> {
        // An answer never goes to where its client is not yet.
        let newer = (Bound::Excluded((room, after)), Bound::Included((room, to.max(after))));
        // Both ends the same, and one of them excluded, would be no range.
        let newer = (after < to).then(|| self.by_room.range(newer));
        newer.into_iter().flatten().flat_map(|(_, users)| users)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(place: u8) -> Position {
        Position::from_bytes([place; 12])
    }

    fn user(name: &str) -> OwnedUserId {
        OwnedUserId::try_from(format!("@{name}:b")).expect("a user id")
    }

    #[test]
    fn a_user_has_one_entry_for_each_room_and_the_oldest_are_forgotten() {
        let mut moves = MemberMoves::new(at(1), 3);
        let (one, other) = (RoomNumber(1), RoomNumber(2));
        for (room, name, place) in [(one, "a", 2), (one, "b", 3), (one, "a", 4), (other, "a", 4)] {
            moves.record(room, user(name), at(place));
        }
        assert_eq!(moves.in_room(one, at(1), at(9)), Some(vec![user("b"), user("a")]));
        assert_eq!(moves.in_room(one, at(1), at(3)), Some(vec![user("b")]));
        assert_eq!(moves.in_room(one, at(3), at(3)), Some(vec![]));
        assert_eq!(moves.in_room(other, at(3), at(9)), Some(vec![user("a")]));
        assert_eq!(moves.in_room(one, at(0), at(9)), None, "before the log");
        moves.record(other, user("c"), at(5));
        assert_eq!(moves.in_room(one, at(2), at(9)), None, "b is forgotten");
        assert_eq!(moves.in_room(one, at(3), at(9)), Some(vec![user("a")]));
    }
}
