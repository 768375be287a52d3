//! A user's memberships in a room around a span, read.
//!
//! Owns: reading [`Past`]. Does not own: what follows from it ([`crate::frame`]).
//!
//! Invariants: the memberships at both ends are those of the room's state there. Between them the user's member events are followed back, a bounded
//! number of them: where there are more, the user counts as one who did not stay, and as one of whose departure nothing is known.

use std::sync::Arc;

use plop_base::Actor;
use plop_db::Position;
use plop_rooms::schema::{Arrivals, Membership};
use plop_rooms::{EventReadError, RoomEvent, Rooms, StoreFault};
use plop_state::StateKey;
use plop_state_store::{EventNumber, RoomNumber};
use ruma::UserId;

use crate::frame::{Departure, Past, RoomPart, Span};
use crate::memberships::UserRoom;
use crate::scene::Scene;
use crate::timeline;

/// Member events that are followed back: a chain of bans and invites may be as long as others like to make it.
const MAX_MEMBER_CHANGES: usize = 256;

impl Past {
    /// The memberships in a room.
    pub async fn read(
        scene: &Scene<'_>,
        user: &UserId,
        row: &UserRoom,
        span: &Span,
    ) -> Result<Self, StoreFault> {
        let at_since = match span.since {
            Some(since) => membership_at(scene, user, since).await?,
            None => None,
        };
        let (last, at_end) = if row.position <= span.to {
            (row.event, Some(row.membership))
        } else {
            let last = member_event_at(scene, user, span.to).await?;
            (last, membership(scene, last).await?)
        };
        let past = Self { at_since, at_end, stayed: false, departure: None };
        if at_end == Some(Membership::Join) {
            let stayed = match span.since {
                Some(since) if at_since == Some(Membership::Join) => stayed(scene, last, since).await?,
                _ => false,
            };
            return Ok(Self { stayed, ..past });
        }
        let departure = match departure(scene, last).await? {
            Some(event) => {
                let position = arrival(scene, event.number).await?;
                event.state_after().map(|state| Departure { position, state })
            }
            None => None,
        };
        Ok(Self { departure, ..past })
    }

    /// Of a room that is not here, where an invite or a knock ended. Whether the client has been told of that is not known.
    pub fn elsewhere(row: &UserRoom) -> Self {
        let at_since = Some(Membership::Invite);
        Self { at_since, at_end: Some(row.membership), stayed: false, departure: None }
    }
}

/// What is told of a room about which the memberships around the span decide; `None`: nothing, or it is still being joined, and here soon.
pub async fn told(
    rooms: &Rooms,
    (actor, user): (&Actor, &UserId),
    room: RoomNumber,
    row: &UserRoom,
    span: &Span,
) -> Result<Option<RoomPart>, StoreFault> {
    let past = match Scene::open(rooms, actor, user, room).await? {
        Some(scene) => Past::read(&scene, user, row, span).await?,
        None if row.membership == Membership::Join => return Ok(None),
        None => Past::elsewhere(row),
    };
    Ok(RoomPart::by_past(row, span, &past))
}

/// Whether every member event from the last one back to the client's position is a join.
async fn stayed(scene: &Scene<'_>, last: Option<EventNumber>, since: Position) -> Result<bool, StoreFault> {
    let mut next = last;
    for _ in 0..MAX_MEMBER_CHANGES {
        let Some(number) = next else { return Ok(true) };
        if arrival(scene, number).await?.is_none_or(|arrival| arrival <= since) {
            return Ok(true);
        }
        let event = event(scene, number).await?;
        if Membership::of(&event.pdu, scene.view.rules) != Some(Membership::Join) {
            return Ok(false);
        }
        next = event.facts.replaces;
    }
    // Nobody changes a profile that often between two requests; all of the room is right too.
    Ok(false)
}

/// The last event that took the place of a join.
async fn departure(
    scene: &Scene<'_>,
    last: Option<EventNumber>,
) -> Result<Option<Arc<RoomEvent>>, StoreFault> {
    let mut next = last;
    let mut later = None;
    for _ in 0..MAX_MEMBER_CHANGES {
        let Some(number) = next else { return Ok(None) };
        let event = event(scene, number).await?;
        if Membership::of(&event.pdu, scene.view.rules) == Some(Membership::Join) {
            return Ok(later);
        }
        next = event.facts.replaces;
        later = Some(event);
    }
    Ok(None)
}

async fn event(scene: &Scene<'_>, number: EventNumber) -> Result<Arc<RoomEvent>, StoreFault> {
    let event = scene.events(&[number]).await?.pop();
    event.ok_or_else(|| EventReadError::Dangling(number).into())
}

async fn membership(
    scene: &Scene<'_>,
    number: Option<EventNumber>,
) -> Result<Option<Membership>, StoreFault> {
    let Some(number) = number else { return Ok(None) };
    Ok(Membership::of(&event(scene, number).await?.pdu, scene.view.rules))
}

async fn arrival(scene: &Scene<'_>, number: EventNumber) -> Result<Option<Position>, StoreFault> {
    Ok(scene.snapshot.get::<Arrivals>(&(scene.number(), number)).await?)
}

/// A user's membership at a position; `None` for who had never had to do with the room.
pub async fn membership_at(
    scene: &Scene<'_>,
    user: &UserId,
    position: Position,
) -> Result<Option<Membership>, StoreFault> {
    membership(scene, member_event_at(scene, user, position).await?).await
}

/// The user's member event in the room's state at a position.
async fn member_event_at(
    scene: &Scene<'_>,
    user: &UserId,
    position: Position,
) -> Result<Option<EventNumber>, StoreFault> {
    let Some(state) = timeline::state_at(scene, position).await? else { return Ok(None) };
    let key = StateKey::member(user.as_str());
    Ok(scene.rooms.states().get(&scene.snapshot, scene.view.grove(), state, &key).await?)
}
