//! The frame of an answer: which rooms it is about, and from which position each of them is new.
//!
//! Owns: [`Frame`], found from the user's rooms and the log of changes. Does not own: what is told of the rooms (the providers).
//!
//! Invariants: a room that the user joined, or joined again, after the client's position is new as a whole. A membership that changed after the
//! answer's position belongs to the next frame. Forgotten rooms are left out, but that one was left since is told, for the user's other devices.

use std::collections::{BTreeMap, BTreeSet};

use plop_db::Position;
use plop_rooms::event_store::EventReadError;
use plop_rooms::operation::StoreFault;
use plop_rooms::schema::{Arrivals, Membership};
use plop_state::StateKey;
use plop_state::auth;
use plop_state_store::{EventNumber, RoomNumber};
use ruma::UserId;

use crate::memberships::{Standing, UserRoomSet};
use crate::scene::Scene;
use crate::timeline;

/// Member events that are followed back to the client's position.
const MAX_MEMBER_CHANGES: usize = 64;

/// What part of a room the answer is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// `None`: all of it, up to a timeline's length.
    pub since: Option<Position>,
    pub to: Position,
}

/// A room of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoomFrame {
    Joined(Part),
    Left(Part),
    /// Invited, or knocking.
    Outside(Standing),
}

/// The span of an answer.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    pub since: Option<Position>,
    pub to: Position,
    /// Whether rooms that were left before are wanted, where all rooms are.
    pub include_left: bool,
}

/// Rooms whose part can be told from memory, and those whose member events must be looked at.
#[derive(Debug, Default)]
pub struct Frame {
    pub rooms: BTreeMap<RoomNumber, RoomFrame>,
    /// Joined rooms whose membership row changed in the span, or after it.
    pub unclear: BTreeMap<RoomNumber, Standing>,
}

impl Frame {
    /// The frame of a user. `changed`: the joined rooms that have something new, besides those whose membership changed.
    pub fn new(span: Span, rooms: &UserRoomSet, changed: &BTreeSet<RoomNumber>) -> Self {
        match span.since {
            None => Self::of_all(span, rooms),
            Some(since) => Self::of_changes(span, since, rooms, changed),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.rooms.is_empty() && self.unclear.is_empty()
    }

    /// Takes in the invites that stand, whenever they came.
    pub fn add_invites(&mut self, span: Span, rooms: &UserRoomSet) {
        let invites = rooms.others.iter().filter(|(_, standing)| standing.membership == Membership::Invite);
        for (room, standing) in invites.filter(|(_, standing)| standing.position <= span.to) {
            self.rooms.insert(*room, RoomFrame::Outside(*standing));
        }
    }

    fn of_all(span: Span, rooms: &UserRoomSet) -> Self {
        let mut frame = Self::default();
        for (room, standing) in rooms.joined.iter().chain(&rooms.others) {
            if standing.position > span.to {
                frame.unclear.insert(*room, *standing);
                continue;
            }
            let told = match standing.membership {
                Membership::Join => RoomFrame::Joined(Part { since: None, to: span.to }),
                Membership::Invite | Membership::Knock => RoomFrame::Outside(*standing),
                Membership::Leave | Membership::Ban if span.include_left && !standing.forgotten => {
                    RoomFrame::Left(Part { since: None, to: standing.position })
                }
                Membership::Leave | Membership::Ban => continue,
            };
            frame.rooms.insert(*room, told);
        }
        frame
    }

    fn of_changes(span: Span, since: Position, rooms: &UserRoomSet, changed: &BTreeSet<RoomNumber>) -> Self {
        let mut frame = Self::default();
        let part = Part { since: Some(since), to: span.to };
        for room in changed.iter().filter(|room| rooms.joined.contains_key(room)) {
            frame.rooms.insert(*room, RoomFrame::Joined(part));
        }
        for (room, standing) in rooms.joined.iter().chain(&rooms.others) {
            if standing.position <= since {
                continue;
            }
            let told = match standing.membership {
                _ if standing.position > span.to => None,
                Membership::Join => None,
                Membership::Invite | Membership::Knock => Some(RoomFrame::Outside(*standing)),
                Membership::Leave | Membership::Ban => {
                    Some(RoomFrame::Left(Part { since: Some(since), to: standing.position }))
                }
            };
            match told {
                Some(told) => frame.rooms.insert(*room, told),
                None => {
                    frame.unclear.insert(*room, *standing);
                    frame.rooms.remove(room)
                }
            };
        }
        frame
    }
}

/// The part of a room whose membership row changed in the span or after it; `None` for one in which the user was not at the span's end.
pub async fn clear_up(
    scene: &mut Scene<'_>,
    user: &UserId,
    standing: Standing,
    span: Span,
) -> Result<Option<RoomFrame>, StoreFault> {
    let to = span.to;
    if standing.position > to && !is_joined_at(scene, user, to).await? {
        return Ok(None);
    }
    let since = match span.since {
        Some(since) if is_joined_throughout(scene, user, standing, since, to).await? => Some(since),
        _ => None,
    };
    Ok(Some(RoomFrame::Joined(Part { since, to })))
}

/// Whether a user who is joined at the end of a span was so all the time.
async fn is_joined_throughout(
    scene: &mut Scene<'_>,
    user: &UserId,
    standing: Standing,
    since: Position,
    to: Position,
) -> Result<bool, StoreFault> {
    if !is_joined_at(scene, user, since).await? {
        return Ok(false);
    }
    let mut next = match standing.event {
        Some(event) if standing.position <= to => Some(event),
        _ => member_event_at(scene, user, to).await?,
    };
    for _ in 0..MAX_MEMBER_CHANGES {
        let Some(number) = next else { return Ok(true) };
        let arrival = scene.snapshot.get::<Arrivals>(&(scene.number(), number)).await?;
        if arrival.is_none_or(|arrival| arrival <= since) {
            return Ok(true);
        }
        let Some(event) = scene.events(&[number]).await?.pop() else {
            return Err(EventReadError::Dangling(number).into());
        };
        if auth::Membership::of(&event.pdu, scene.view.rules) != Some(auth::Membership::Join) {
            return Ok(false);
        }
        next = event.facts.replaces;
    }
    // Nobody changes a profile that often between two requests; all of the room is right too.
    Ok(false)
}

async fn member_event_at(
    scene: &Scene<'_>,
    user: &UserId,
    position: Position,
) -> Result<Option<EventNumber>, StoreFault> {
    let Some(state) = timeline::state_at(scene, position).await? else { return Ok(None) };
    let key = StateKey::member(user.as_str());
    Ok(scene.core.state.tree.get(&scene.snapshot, scene.view.grove(), state, &key).await?)
}

/// Whether the user was joined at a position.
pub async fn is_joined_at(scene: &Scene<'_>, user: &UserId, position: Position) -> Result<bool, StoreFault> {
    let Some(number) = member_event_at(scene, user, position).await? else { return Ok(false) };
    let event = scene.events(&[number]).await?.pop();
    Ok(event.is_some_and(|event| {
        auth::Membership::of(&event.pdu, scene.view.rules) == Some(auth::Membership::Join)
    }))
}
