//! Who came to the reader's rooms, or left them.
//!
//! Owns: finding that in memory, and where it is not remembered, in the difference of the rooms' states. Does not own: what follows.

use std::collections::{BTreeMap, BTreeSet};

use plop_rooms::StoreFault;
use plop_rooms::schema::Membership;
use plop_state_store::tree::Difference;
use plop_state_store::{EventNumber, RoomNumber};
use ruma::OwnedUserId;

use super::reader::Reader;
use crate::news::rooms_with_events;
use crate::scene::{Scene, member};
use crate::shared::Shared;
use crate::timeline::state_at;
use crate::turns::take_turns;

/// Rooms that are looked at before others get a turn.
const ROOMS_AT_ONCE: usize = 16;
/// Member events that are read at once.
const PAGE: usize = 200;

/// Users who moved, by room.
pub type Moves = BTreeMap<RoomNumber, BTreeSet<OwnedUserId>>;

/// Who moved in the span.
pub async fn in_rooms_of(shared: &Shared, reader: Reader<'_>) -> Result<Moves, StoreFault> {
    let Reader { rooms, since, .. } = reader;
    if let Some(remembered) = remembered(shared, reader) {
        return Ok(remembered);
    }
    let mut moves = Moves::new();
    for (index, room) in rooms_with_events(shared, rooms, since).await?.into_iter().enumerate() {
        take_turns(index, ROOMS_AT_ONCE).await;
        // Of rooms that the reader came to, too, everybody is told.
        if rooms.row(room).is_some_and(|row| row.position <= since) {
            moves.insert(room, by_states(shared, reader, room).await?);
        }
    }
    Ok(moves)
}

/// Who moved in the span, from memory; `None` where it does not reach back so far.
fn remembered(shared: &Shared, reader: Reader<'_>) -> Option<Moves> {
    let Reader { rooms, since, to, .. } = reader;
    let (changes, _) = shared.changes.now();
    let moved = rooms.joined_of(&changes.moves.rooms, since)?.into_iter();
    moved.map(|room| Some((room, changes.moves.in_room(room, since, to)?.into_iter().collect()))).collect()
}

/// Who moved in a room in the span.
pub async fn in_room(
    shared: &Shared,
    reader: Reader<'_>,
    room: RoomNumber,
) -> Result<BTreeSet<OwnedUserId>, StoreFault> {
    let remembered = shared.changes.now().0.moves.in_room(room, reader.since, reader.to);
    match remembered {
        Some(users) => Ok(users.into_iter().collect()),
        None => by_states(shared, reader, room).await,
    }
}

/// The same, by the room's states at both ends of the span.
async fn by_states(
    shared: &Shared,
    reader: Reader<'_>,
    room: RoomNumber,
) -> Result<BTreeSet<OwnedUserId>, StoreFault> {
    let mut moved = BTreeSet::new();
    let scene = Scene::open(&shared.parts.rooms, reader.actor, reader.user, room).await?;
    let Some(scene) = scene else { return Ok(moved) };
    let before = state_at(&scene, reader.since).await?;
    let after = state_at(&scene, reader.to).await?;
    let (Some(before), Some(after)) = (before, after) else { return Ok(moved) };
    for part in scene.diff(before, after).await?.chunks(PAGE) {
        let joined = joined(&scene, part).await?;
        for change in part {
            let [before, after] = [change.before, change.after].map(|event| joined.get(&event?));
            let is_in = |member: Option<&(OwnedUserId, bool)>| member.is_some_and(|(_, joined)| *joined);
            if is_in(before) != is_in(after) {
                moved.extend(before.or(after).map(|(user, _)| user.clone()));
            }
        }
    }
    Ok(moved)
}

/// Of the member events of some differences: whom they are about, and whether the user is in.
async fn joined(
    scene: &Scene<'_>,
    differences: &[Difference],
) -> Result<BTreeMap<EventNumber, (OwnedUserId, bool)>, StoreFault> {
    let both = |difference: &Difference| [difference.before, difference.after];
    let numbers: Vec<EventNumber> = differences.iter().flat_map(both).flatten().collect();
    let mut members = BTreeMap::new();
    for event in scene.events(&numbers).await? {
        if let Some(user) = member(&event).and_then(|user| OwnedUserId::try_from(user).ok()) {
            let membership = Membership::of(&event.pdu, scene.view.rules);
            members.insert(event.number, (user, membership == Some(Membership::Join)));
        }
    }
    Ok(members)
}
