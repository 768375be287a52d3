//! The frame of an answer: what it tells of which room.
//!
//! Owns: [`RoomPart`], what is told of one room, decided in one place from the user's row of the room, what came in it and, where these do not suffice, the
//! user's memberships around the span. Does not own: reading these ([`crate::news`], [`crate::past`]); the providers, which only obey.
//!
//! Invariants: a room that the user joined, or joined again, after the client's position is new as a whole. One that was left is told up to the
//! departure, and its state only to a client that the user was in it for since its position: whoever left gets nothing newer. A membership that
//! changed after the answer's position belongs to the next frame, and what came before it to this one. A forgotten room is told once to a client
//! that still has it, and that it is gone is all that is told.

use std::collections::{BTreeMap, BTreeSet};

use plop_db::Position;
use plop_rooms::schema::Membership;
use plop_state_store::RoomNumber;
use plop_state_store::tree::Root;

use crate::memberships::{UserRoom, UserRoomSet};
use crate::news::RoomNews;

/// What part of a room the answer is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// `None`: all of it, up to a timeline's length.
    pub since: Option<Position>,
    pub to: Position,
}

/// The span of an answer.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    pub since: Option<Position>,
    pub to: Position,
    /// Whether rooms that were left before are wanted, where all rooms are.
    pub include_left: bool,
    /// Whether all of the state is wanted of every room.
    pub full_state: bool,
}

/// What is told of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoomPart {
    Joined(JoinedPart),
    Left(LeftPart),
    /// Invited, or knocking.
    Outside(UserRoom),
}

/// A room that the user is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JoinedPart {
    pub part: Part,
    /// All of its state, rather than what changed.
    pub whole: bool,
    /// Whether there are events to look at; else only what is beside them.
    pub open: bool,
}

/// A room that the user has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftPart {
    /// Up to the departure, where that is in it.
    pub part: Part,
    pub shown: Shown,
}

/// What is shown of a room that was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// The user was in it: what came until the departure, and of the state that this left behind all, or what changed.
    Until { state: Root, whole: bool },
    /// The user was not in it: that an invite or a knock ended, and nothing of the room.
    Ending,
    /// Nothing but that it is gone: it was forgotten.
    Nothing,
}

/// What can be said of a room from the user's row and what came in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Glance {
    Nothing,
    Clear(RoomPart),
    /// It depends on the memberships around the span.
    Unclear,
}

/// A user's memberships in a room around a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Past {
    /// At the client's position; `None` without one, and for who had never had to do with the room.
    pub at_since: Option<Membership>,
    /// At the end of the span.
    pub at_end: Option<Membership>,
    /// Whether the user was joined all the time.
    pub stayed: bool,
    /// With which the user left last before the end of the span.
    pub departure: Option<Departure>,
}

/// An event that took the place of a join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Departure {
    /// Where it stands in the live stream, if it does.
    pub position: Option<Position>,
    /// The room's state after it.
    pub state: Root,
}

impl RoomPart {
    /// As far as it can be said without looking at the room. `news`: what came since the client's position.
    pub fn at_a_glance(row: &UserRoom, span: &Span, news: Option<&RoomNews>) -> Glance {
        let Span { since, to, full_state, .. } = *span;
        if row.position > to {
            return Glance::Unclear;
        }
        let moved = since.is_none_or(|since| row.position > since);
        let joined =
            |whole, open| Glance::Clear(Self::Joined(JoinedPart { part: Part { since, to }, whole, open }));
        match row.membership {
            Membership::Join if since.is_none() => joined(true, true),
            Membership::Join if moved => Glance::Unclear,
            Membership::Join if full_state => joined(true, true),
            Membership::Join => news.map_or(Glance::Nothing, |news| joined(false, news.events)),
            _ if !moved => Glance::Nothing,
            Membership::Invite | Membership::Knock if row.forgotten => Glance::Nothing,
            Membership::Invite | Membership::Knock => Glance::Clear(Self::Outside(*row)),
            Membership::Leave | Membership::Ban => {
                let is_wanted = since.is_some() || span.include_left && !row.forgotten;
                if is_wanted { Glance::Unclear } else { Glance::Nothing }
            }
        }
    }

    /// What is told of a room that was unclear; `None`: nothing.
    pub fn by_past(row: &UserRoom, span: &Span, past: &Past) -> Option<Self> {
        match past.at_end {
            Some(Membership::Join) => {
                let since = span.since.filter(|_| past.stayed);
                let part = Part { since, to: span.to };
                let whole = since.is_none() || span.full_state;
                // Open in any case: of a room that was left after the span the news of joined rooms say nothing.
                Some(Self::Joined(JoinedPart { part, whole, open: true }))
            }
            // It changed again after the span: the next answer says what it has become.
            Some(Membership::Invite | Membership::Knock) => None,
            Some(Membership::Leave | Membership::Ban) | None => Self::left(row, span, past).map(Self::Left),
        }
    }

    fn left(row: &UserRoom, span: &Span, past: &Past) -> Option<LeftPart> {
        let since = span.since;
        let end = row.position.min(span.to);
        let was_in = past.at_since == Some(Membership::Join);
        if since.is_none() && (row.forgotten || !span.include_left) {
            return None;
        }
        let had_it = matches!(past.at_since, Some(Membership::Join | Membership::Invite | Membership::Knock));
        if row.forgotten {
            let part = Part { since, to: end };
            return had_it.then_some(LeftPart { part, shown: Shown::Nothing });
        }
        let left_since =
            |position: &Position| since.is_none_or(|since| *position > since) && *position <= span.to;
        if let Some(Departure { position, state }) = past.departure {
            let in_span = position.filter(left_since);
            if was_in || in_span.is_some() {
                let part = Part { since, to: in_span.unwrap_or(end) };
                let whole = !was_in || span.full_state;
                return Some(LeftPart { part, shown: Shown::Until { state, whole } });
            }
        }
        // Of what moved the row after the span the next answer tells.
        let is_told = had_it || row.position <= span.to;
        is_told.then_some(LeftPart { part: Part { since, to: end }, shown: Shown::Ending })
    }
}

/// The rooms of an answer, and those whose memberships must be looked at.
#[derive(Debug, Default)]
pub struct Frame {
    pub rooms: BTreeMap<RoomNumber, RoomPart>,
    pub unclear: BTreeMap<RoomNumber, UserRoom>,
}

impl Frame {
    /// The frame of a user, as far as it can be said without looking at a room.
    pub fn new(span: &Span, rooms: &UserRoomSet, news: &BTreeMap<RoomNumber, RoomNews>) -> Self {
        let mut frame = Self::default();
        let candidates: BTreeSet<RoomNumber> = match span.since {
            None => rooms.joined.keys().chain(rooms.others.keys()).copied().collect(),
            Some(since) => {
                let moved = rooms.moved_after(since);
                if span.full_state {
                    moved.chain(rooms.joined.keys().copied()).collect()
                } else {
                    moved.chain(news.keys().copied()).collect()
                }
            }
        };
        for room in candidates {
            let Some(row) = rooms.row(room) else { continue };
            match RoomPart::at_a_glance(row, span, news.get(&room)) {
                Glance::Nothing => {}
                Glance::Clear(told) => {
                    frame.rooms.insert(room, told);
                }
                Glance::Unclear => {
                    frame.unclear.insert(room, *row);
                }
            }
        }
        frame
    }

    /// Takes in the invites that stand, whenever they came.
    pub fn add_invites(&mut self, span: &Span, rooms: &UserRoomSet) {
        let is_shown = |row: &UserRoom| row.membership == Membership::Invite && !row.forgotten;
        let invites = rooms.others.iter().filter(|(_, row)| is_shown(row));
        for (room, row) in invites.filter(|(_, row)| row.position <= span.to) {
            self.rooms.insert(*room, RoomPart::Outside(*row));
        }
    }
}

#[cfg(test)]
mod tests {
    use Membership::{Ban, Invite, Join, Knock, Leave};

    use super::*;

    fn at(place: u8) -> Position {
        Position::from_bytes([place; 12])
    }

    fn row(membership: Membership, place: u8) -> UserRoom {
        UserRoom { membership, event: None, position: at(place), forgotten: false }
    }

    fn forgotten(membership: Membership, place: u8) -> UserRoom {
        UserRoom { forgotten: true, ..row(membership, place) }
    }

    /// From position 10, or from nothing, to position 20.
    fn span(since: bool) -> Span {
        let since = since.then(|| at(10));
        Span { since, to: at(20), include_left: false, full_state: false }
    }

    fn joined(since: Option<u8>, whole: bool, open: bool) -> RoomPart {
        RoomPart::Joined(JoinedPart { part: Part { since: since.map(at), to: at(20) }, whole, open })
    }

    fn left(since: Option<u8>, to: u8, shown: Shown) -> RoomPart {
        RoomPart::Left(LeftPart { part: Part { since: since.map(at), to: at(to) }, shown })
    }

    fn until(whole: bool) -> Shown {
        Shown::Until { state: Root::EMPTY, whole }
    }

    #[test]
    fn what_can_be_said_at_a_glance() {
        let beside = RoomNews::default();
        let events = RoomNews { events: true, ..RoomNews::default() };
        let glance = |row, since, news| RoomPart::at_a_glance(&row, &span(since), news);
        for (row, since, news, expected) in [
            (row(Join, 5), true, None, Glance::Nothing),
            (row(Join, 5), true, Some(&beside), Glance::Clear(joined(Some(10), false, false))),
            (row(Join, 5), true, Some(&events), Glance::Clear(joined(Some(10), false, true))),
            (row(Join, 5), false, None, Glance::Clear(joined(None, true, true))),
            // Joined, or joined again, or with a new profile.
            (row(Join, 15), true, Some(&events), Glance::Unclear),
            (row(Join, 15), false, None, Glance::Clear(joined(None, true, true))),
            (row(Invite, 5), true, None, Glance::Nothing),
            (row(Invite, 15), true, None, Glance::Clear(RoomPart::Outside(row(Invite, 15)))),
            (row(Knock, 15), false, None, Glance::Clear(RoomPart::Outside(row(Knock, 15)))),
            // Account data of a room that was left is none of its news.
            (row(Leave, 5), true, Some(&beside), Glance::Nothing),
            (row(Leave, 15), true, None, Glance::Unclear),
            (row(Ban, 15), true, None, Glance::Unclear),
            (row(Leave, 15), false, None, Glance::Nothing),
            // Changed after the answer's position.
            (row(Join, 25), true, None, Glance::Unclear),
            (row(Leave, 25), true, Some(&events), Glance::Unclear),
            (row(Leave, 25), false, None, Glance::Unclear),
            (row(Invite, 25), true, None, Glance::Unclear),
        ] {
            assert_eq!(glance(row, since, news), expected, "{row:?}, since: {since}, {news:?}");
        }
        let all = Span { full_state: true, ..span(true) };
        let told = RoomPart::at_a_glance(&row(Join, 5), &all, None);
        assert_eq!(told, Glance::Clear(joined(Some(10), true, true)));
        let with_left = Span { include_left: true, ..span(false) };
        assert_eq!(RoomPart::at_a_glance(&row(Ban, 5), &with_left, None), Glance::Unclear);
        assert_eq!(RoomPart::at_a_glance(&forgotten(Ban, 5), &with_left, None), Glance::Nothing);
    }

    fn past(at_since: Option<Membership>, at_end: Membership, departure: Option<u8>) -> Past {
        let departure = departure.map(|place| Departure { position: Some(at(place)), state: Root::EMPTY });
        Past { at_since, at_end: Some(at_end), stayed: false, departure }
    }

    #[test]
    fn a_room_that_the_user_is_in_is_new_unless_they_stayed() {
        let stayed = Past { stayed: true, ..past(Some(Join), Join, None) };
        let came_back = past(Some(Join), Join, Some(12));
        let came = past(None, Join, None);
        for (row, past, expected) in [
            (row(Join, 15), stayed, joined(Some(10), false, true)),
            (row(Join, 15), came_back, joined(None, true, true)),
            (row(Join, 15), came, joined(None, true, true)),
            // Left only after the answer's position: what came before that is told now, or never.
            (row(Leave, 25), stayed, joined(Some(10), false, true)),
            (row(Ban, 25), came, joined(None, true, true)),
            (forgotten(Leave, 25), stayed, joined(Some(10), false, true)),
        ] {
            assert_eq!(RoomPart::by_past(&row, &span(true), &past), Some(expected), "{row:?}, {past:?}");
        }
        let told = RoomPart::by_past(&row(Leave, 25), &span(false), &past(None, Join, None));
        assert_eq!(told, Some(joined(None, true, true)));
        let all = Span { full_state: true, ..span(true) };
        assert_eq!(RoomPart::by_past(&row(Join, 15), &all, &stayed), Some(joined(Some(10), true, true)));
    }

    #[test]
    fn a_room_that_was_left_is_told_up_to_the_departure_and_to_those_who_were_in_it() {
        let ending = |to| Some(left(Some(10), to, Shown::Ending));
        for (row, past, expected) in [
            // Left, kicked or banned in the span.
            (row(Leave, 15), past(Some(Join), Leave, Some(15)), Some(left(Some(10), 15, until(false)))),
            // Banned, or invited and let go, after that: the departure stays where it was.
            (row(Ban, 18), past(Some(Join), Ban, Some(15)), Some(left(Some(10), 15, until(false)))),
            // Joined and left in the span: the client has nothing of it.
            (row(Leave, 15), past(None, Leave, Some(15)), Some(left(Some(10), 15, until(true)))),
            (row(Leave, 15), past(Some(Leave), Leave, Some(15)), Some(left(Some(10), 15, until(true)))),
            // A ban, or its end, long after the departure.
            (row(Ban, 15), past(Some(Leave), Ban, Some(5)), ending(15)),
            (row(Leave, 15), past(Some(Ban), Leave, Some(5)), ending(15)),
            // The end of an invite.
            (row(Leave, 15), past(Some(Invite), Leave, None), ending(15)),
            (row(Leave, 15), past(None, Leave, None), ending(15)),
            // A member event that arrived before the span and came to count in it.
            (row(Ban, 15), past(Some(Join), Ban, Some(5)), Some(left(Some(10), 15, until(false)))),
            // Left in the span, and the row has moved on after it.
            (row(Ban, 25), past(Some(Join), Leave, Some(15)), Some(left(Some(10), 15, until(false)))),
            (row(Join, 25), past(Some(Join), Leave, Some(15)), Some(left(Some(10), 15, until(false)))),
            // Nothing happened in the span.
            (row(Ban, 25), past(Some(Leave), Leave, Some(5)), None),
            (row(Invite, 25), past(None, Leave, None), None),
            (row(Join, 25), past(Some(Invite), Invite, None), None),
        ] {
            assert_eq!(RoomPart::by_past(&row, &span(true), &past), expected, "{row:?}, {past:?}");
        }
        let all = Span { full_state: true, ..span(true) };
        let told = |past| RoomPart::by_past(&row(Ban, 15), &all, &past);
        assert_eq!(told(past(Some(Join), Ban, Some(15))), Some(left(Some(10), 15, until(true))));
        assert_eq!(told(past(Some(Leave), Ban, Some(5))), ending(15), "no state for who was not in it");
    }

    #[test]
    fn all_rooms_that_were_left_are_told_to_who_asks_for_them() {
        let with_left = Span { include_left: true, ..span(false) };
        let told = |row, past| RoomPart::by_past(&row, &with_left, &past);
        assert_eq!(told(row(Ban, 15), past(None, Ban, Some(5))), Some(left(None, 5, until(true))));
        assert_eq!(told(row(Leave, 15), past(None, Leave, None)), Some(left(None, 15, Shown::Ending)));
        assert_eq!(told(forgotten(Leave, 25), past(None, Leave, Some(5))), None);
        assert_eq!(RoomPart::by_past(&row(Leave, 25), &span(false), &past(None, Leave, Some(5))), None);
    }

    #[test]
    fn a_forgotten_room_is_told_to_who_has_it_and_never_comes_back() {
        let gone = |to| Some(left(Some(10), to, Shown::Nothing));
        for (row, past, expected) in [
            (forgotten(Leave, 15), past(Some(Join), Leave, Some(15)), gone(15)),
            (forgotten(Leave, 15), past(Some(Invite), Leave, None), gone(15)),
            (forgotten(Leave, 15), past(None, Leave, Some(15)), None),
            // A ban, and its end.
            (forgotten(Ban, 15), past(Some(Leave), Ban, Some(5)), None),
            (forgotten(Leave, 15), past(Some(Ban), Leave, Some(5)), None),
            // An invite from elsewhere: whether the client shows it is not known.
            (forgotten(Leave, 15), past(Some(Invite), Leave, None), gone(15)),
        ] {
            assert_eq!(RoomPart::by_past(&row, &span(true), &past), expected, "{row:?}, {past:?}");
        }
    }
}
