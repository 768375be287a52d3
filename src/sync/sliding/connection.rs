//! What was sent on a connection.
//!
//! Owns: [`Connection`]: which of its answers can be gone on from, what a client that comes with one of them has, how an answer changes it. Does not own:
//! its rows ([`super::connections`]).
//!
//! Invariants: two answers are alive, the last one and the one that it went on from. Of each room there is what the client had before the last answer that
//! told of it, and what it has after it. An answer that was given up leaves nothing behind. A clone shares everything.

use std::collections::BTreeMap;

use imbl::OrdMap;
use plop_base::UnixMillis;
use plop_db::Position;
use plop_state_store::RoomNumber;

use super::required_state::StateWishes;
use super::schema::{ConnectionId, ConnectionRow, MarkRow, SentDelta, SentRoom, SentRow};

/// Different wishes for state that are remembered on one connection.
pub const MAX_WISHES: usize = 64;

/// A connection as of its last answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    pub row: ConnectionRow,
    pub rooms: OrdMap<RoomNumber, SentRow>,
    pub wishes: OrdMap<u64, StateWishes>,
}

/// An answer, and what changes with it.
#[derive(Debug, Clone, Default)]
pub struct Told {
    pub rooms: BTreeMap<RoomNumber, SentRoom>,
    /// The wishes that rooms of it were sent with, by their hash.
    pub wishes: BTreeMap<u64, StateWishes>,
    pub account_data: Option<Position>,
    pub encryption: Option<Position>,
    pub thread_subscriptions: Option<Position>,
}

impl Told {
    /// What both tell, this one first.
    pub fn then(mut self, later: Self) -> Self {
        self.rooms.extend(later.rooms);
        self.wishes.extend(later.wishes);
        let Self { account_data, encryption, thread_subscriptions, .. } = later;
        Self { account_data, encryption, thread_subscriptions, ..self }
    }
}

/// The rows that an answer changes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changed {
    pub rooms: Vec<RoomNumber>,
    pub wishes: Vec<u64>,
}

/// The connection has seen too many different wishes for state to go on.
#[derive(Debug, PartialEq, Eq)]
pub struct TooManyWishes;

impl Connection {
    /// One that has sent nothing.
    pub fn new(id: ConnectionId, now: UnixMillis) -> Self {
        let current = MarkRow {
            answer: 0,
            position: Position::START,
            account_data: None,
            encryption: None,
            thread_subscriptions: None,
        };
        let row = ConnectionRow { id, current, parent: None, used: now };
        Self { row, rooms: OrdMap::new(), wishes: OrdMap::new() }
    }

    /// The answer with this number, if it can be gone on from.
    pub fn mark(&self, answer: u64) -> Option<&MarkRow> {
        [Some(&self.row.current), self.row.parent.as_ref()]
            .into_iter()
            .flatten()
            .find(|mark| mark.answer == answer)
    }

    /// What a client that comes with an answer has of a room.
    pub fn sent(&self, room: RoomNumber, came_with: u64) -> Option<&SentRoom> {
        let row = self.rooms.get(&room)?;
        match &row.delta {
            Some(delta) if !self.is_given_up(delta, came_with) => Some(&delta.sent),
            _ => row.base.as_ref(),
        }
    }

    /// Whether the client that comes with this answer has not got what this one changed.
    fn is_given_up(&self, delta: &SentDelta, came_with: u64) -> bool {
        delta.answer == self.row.current.answer && came_with != self.row.current.answer
    }

    /// The connection after one more answer to a client that came with `came_with`, which is alive.
    pub fn after(
        &self,
        came_with: &MarkRow,
        position: Position,
        told: Told,
        now: UnixMillis,
    ) -> Result<(Self, Changed), TooManyWishes> {
        let mut next = self.clone();
        let mut changed = Changed::default();
        let current = self.row.current.answer;
        if came_with.answer != current {
            for (room, row) in &self.rooms {
                if row.delta.as_ref().is_some_and(|delta| delta.answer == current) {
                    next.give_up(*room, row);
                    changed.rooms.push(*room);
                }
            }
        }
        let answer = current + 1;
        for (room, sent) in told.rooms {
            let base = self.sent(room, came_with.answer).cloned();
            next.rooms.insert(room, SentRow { base, delta: Some(SentDelta { answer, sent }) });
            changed.rooms.push(room);
        }
        for (hash, wishes) in told.wishes {
            if next.wishes.insert(hash, wishes).is_none() {
                changed.wishes.push(hash);
            }
        }
        if next.wishes.len() > MAX_WISHES {
            next.forget_wishes(&mut changed)?;
        }
        next.row = ConnectionRow {
            id: self.row.id,
            current: MarkRow {
                answer,
                position,
                account_data: told.account_data,
                encryption: told.encryption,
                thread_subscriptions: told.thread_subscriptions,
            },
            parent: Some(came_with.clone()),
            used: now,
        };
        changed.rooms.sort_unstable();
        changed.rooms.dedup();
        Ok((next, changed))
    }

    fn give_up(&mut self, room: RoomNumber, row: &SentRow) {
        match &row.base {
            Some(base) => {
                let base = Some(base.clone());
                self.rooms.insert(room, SentRow { base, delta: None });
            }
            None => drop(self.rooms.remove(&room)),
        }
    }

    /// Forgets those that no room has.
    fn forget_wishes(&mut self, changed: &mut Changed) -> Result<(), TooManyWishes> {
        let of_row = |row: &SentRow| {
            let delta = row.delta.as_ref().map(|delta| delta.sent.wishes);
            [delta, row.base.as_ref().map(|base| base.wishes)]
        };
        let used: std::collections::BTreeSet<u64> = self.rooms.values().flat_map(of_row).flatten().collect();
        let unused: Vec<u64> = self.wishes.keys().filter(|hash| !used.contains(hash)).copied().collect();
        for hash in unused {
            self.wishes.remove(&hash);
            changed.wishes.push(hash);
        }
        if self.wishes.len() > MAX_WISHES { Err(TooManyWishes) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sliding::required_state::RequiredState;

    const ROOM: RoomNumber = RoomNumber(1);
    const OTHER: RoomNumber = RoomNumber(2);

    fn at(place: u8) -> Position {
        Position::from_bytes([place; 12])
    }

    fn sent(place: u8) -> SentRoom {
        SentRoom {
            position: at(place),
            timeline_limit: 1,
            wishes: 0,
            is_dm: false,
            receipts: false,
            account_data: false,
        }
    }

    fn told(rooms: &[(RoomNumber, u8)]) -> Told {
        Told { rooms: rooms.iter().map(|(room, place)| (*room, sent(*place))).collect(), ..Told::default() }
    }

    fn told_of(room: RoomNumber, sent: SentRoom, wishes: StateWishes) -> Told {
        let (rooms, wishes) = (BTreeMap::from([(room, sent)]), BTreeMap::from([(wishes.hash(), wishes)]));
        Told { rooms, wishes, ..Told::default() }
    }

    fn after(connection: &Connection, came_with: u64, place: u8, rooms: &[(RoomNumber, u8)]) -> Connection {
        let mark = connection.mark(came_with).expect("alive").clone();
        connection.after(&mark, at(place), told(rooms), UnixMillis(0)).expect("few wishes").0
    }

    fn has(connection: &Connection, room: RoomNumber, came_with: u64) -> Option<Position> {
        connection.sent(room, came_with).map(|sent| sent.position)
    }

    #[test]
    fn a_client_that_comes_with_the_answer_before_has_what_it_had() {
        let begun = Connection::new([1; 16], UnixMillis(0));
        let first = after(&begun, 0, 1, &[(ROOM, 1)]);
        let second = after(&first, 1, 2, &[(ROOM, 2), (OTHER, 2)]);
        assert_eq!((has(&second, ROOM, 2), has(&second, OTHER, 2)), (Some(at(2)), Some(at(2))));
        assert_eq!((has(&second, ROOM, 1), has(&second, OTHER, 1)), (Some(at(1)), None));
        assert_eq!(second.mark(0), None, "two are alive");
        let third = after(&second, 2, 3, &[(OTHER, 3)]);
        assert_eq!((has(&third, ROOM, 3), has(&third, ROOM, 2)), (Some(at(2)), Some(at(2))));
        assert_eq!(has(&third, OTHER, 2), Some(at(2)));
    }

    #[test]
    fn an_answer_that_was_lost_leaves_nothing_behind() {
        let begun = Connection::new([1; 16], UnixMillis(0));
        let first = after(&begun, 0, 1, &[(ROOM, 1)]);
        let lost = after(&first, 1, 2, &[(ROOM, 2), (OTHER, 2)]);
        let again = after(&lost, 1, 3, &[(ROOM, 3)]);
        assert_eq!((has(&again, ROOM, 3), has(&again, OTHER, 3)), (Some(at(3)), None));
        assert_eq!((has(&again, ROOM, 1), has(&again, OTHER, 1)), (Some(at(1)), None));
        assert_eq!(again.mark(2), None, "the lost one is not alive");
        let next = after(&again, 3, 4, &[]);
        assert_eq!((has(&next, ROOM, 4), next.rooms.len()), (Some(at(3)), 1));
    }

    #[test]
    fn wishes_that_no_room_has_are_forgotten_and_their_number_is_bounded() {
        let wishes = |number: usize| {
            let lazy_members = number.is_multiple_of(2);
            let wish = RequiredState { include: Vec::new(), exclude: Vec::new(), lazy_members };
            StateWishes { wishes: std::iter::repeat_n(std::sync::Arc::new(wish), number).collect() }
        };
        let mut connection = Connection::new([1; 16], UnixMillis(0));
        for number in 0..3 * MAX_WISHES {
            let sent = SentRoom { wishes: wishes(number).hash(), ..sent(1) };
            let told = told_of(ROOM, sent, wishes(number));
            let mark = connection.row.current.clone();
            connection = connection.after(&mark, at(1), told, UnixMillis(0)).expect("forgotten").0;
            assert!(connection.wishes.len() <= MAX_WISHES);
        }
        let mut refused = false;
        for number in 0..=MAX_WISHES {
            let sent = SentRoom { wishes: wishes(number).hash(), ..sent(1) };
            let room = RoomNumber(u64::try_from(number).expect("small"));
            let told = told_of(room, sent, wishes(number));
            let mark = connection.row.current.clone();
            match connection.after(&mark, at(1), told, UnixMillis(0)) {
                Ok((next, _)) => connection = next,
                Err(TooManyWishes) => refused = true,
            }
        }
        assert!(refused);
    }
}
