//! The rooms in which a user may search.
//!
//! Owns: which these are: those that the user is or was in (client-server API, "Server Side Search"). Does not own: which events of them
//! ([`plop_rooms::reader`]).
//!
//! Invariants: a room that the user has nothing to do with, and one that is not here, are left out alike. Their number is bounded.

use std::collections::BTreeSet;

use plop_db::{KeyRange, Pages, ReadError, Snapshot};
use plop_rooms::schema::{Membership, UserRoomRow, UserRooms};
use plop_rooms::{LoadError, Rooms, StoreFault};
use plop_state_store::RoomNumber;
use ruma::{OwnedRoomId, RoomId, UserId};

/// Rooms that are searched at once.
const MAX_ROOMS: usize = 10_000;
/// Rooms that a request may name.
pub(crate) const MAX_NAMED: usize = 1_000;
/// Rooms that another one has taken the place of, one after the other.
const MAX_PREDECESSORS: usize = 10;
/// Named rooms whose predecessors are looked for: each is taken into memory for it.
const MAX_WITH_PREDECESSORS: usize = 50;

/// All rooms of a user.
pub(crate) async fn all_rooms(snapshot: &Snapshot, user: &UserId) -> Result<BTreeSet<RoomNumber>, ReadError> {
    let mut pages = Pages::<UserRooms>::new(KeyRange::prefix(&user.to_owned()), 1_000);
    let mut rooms = BTreeSet::new();
    while let Some(page) = pages.next(snapshot).await? {
        rooms.extend(page.into_iter().filter(|(_, row)| is_in_reach(row)).map(|((_, room), _)| room));
        if rooms.len() >= MAX_ROOMS {
            break;
        }
    }
    Ok(rooms)
}

/// Those of some rooms that are in reach, with the rooms that these have taken the place of.
pub(crate) async fn named_rooms(
    rooms: &Rooms,
    snapshot: &Snapshot,
    user: &UserId,
    named: &[OwnedRoomId],
) -> Result<BTreeSet<RoomNumber>, StoreFault> {
    let mut found = BTreeSet::new();
    for (index, room) in named.iter().enumerate() {
        let mut room = room.clone();
        for _ in 0..=MAX_PREDECESSORS {
            let Some(number) = rooms.number(&room).await? else { break };
            let row = snapshot.get::<UserRooms>(&(user.to_owned(), number)).await?;
            if !row.is_some_and(|row| is_in_reach(&row))
                || !found.insert(number)
                || index >= MAX_WITH_PREDECESSORS
            {
                break;
            }
            let Some(predecessor) = predecessor(rooms, number).await? else { break };
            room = predecessor;
        }
    }
    Ok(found)
}

/// Whether a user is or was in a room, as far as the row tells: who left before they came has nothing to see in it.
fn is_in_reach(row: &UserRoomRow) -> bool {
    let is_or_was = matches!(row.membership, Membership::Join | Membership::Leave | Membership::Ban);
    is_or_was && !row.forgotten
}

/// The room that a room has taken the place of.
async fn predecessor(rooms: &Rooms, number: RoomNumber) -> Result<Option<OwnedRoomId>, StoreFault> {
    let view = match rooms.view(number).await {
        Ok(view) => view,
        Err(LoadError::Store(fault)) => return Err(fault),
        Err(LoadError::NotHere | LoadError::UnknownVersion(_)) => return Ok(None),
    };
    let Some(create) = view.kept_type("m.room.create") else { return Ok(None) };
    let content = create.pdu.content_object();
    let named = content.get("predecessor").and_then(|predecessor| predecessor.get("room_id")?.as_str());
    Ok(named.and_then(|room| RoomId::parse(room).ok()))
}
