//! The rooms of spaces, for the filter of that name.
//!
//! Owns: reading them, where that is needed. Does not own: the state.
//!
//! Invariants: only a space that the user is in says what is in it. Spaces in it are not looked into (MSC4186, `SlidingRoomFilter`). What is given out is no
//! older than the last event of the space that was acknowledged before it is asked for; only a space in which something came is read again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plop_db::Snapshot;
use plop_rooms::StoreFault;
use plop_state_store::RoomNumber;
use ruma::{OwnedRoomId, RoomId};

use crate::changes::Logs;
use crate::context::RequestContext;
use crate::memberships::UserRoomSet;

/// The type of the events that say what is in a space.
const CHILD: &str = "m.space.child";
/// Events that are loaded at once.
const PAGE: usize = 200;

/// Of these rooms of a user those that are in one of these spaces.
pub async fn children(
    context: &RequestContext,
    rooms: &UserRoomSet,
    ids: &BTreeMap<RoomNumber, OwnedRoomId>,
    spaces: &BTreeSet<OwnedRoomId>,
) -> Result<BTreeSet<RoomNumber>, StoreFault> {
    let spaces: Vec<OwnedRoomId> = spaces.iter().cloned().collect();
    let numbers = context.shared.ids.numbers(&spaces).await?;
    let mut children = Vec::new();
    for space in numbers.into_iter().flatten().filter(|space| rooms.joined.contains_key(space)) {
        children.push(of_space(context, space).await?);
    }
    let is_child = |id: &OwnedRoomId| children.iter().any(|children| children.contains(id));
    Ok(ids.iter().filter(|(_, id)| is_child(id)).map(|(room, _)| *room).collect())
}

/// What is in a space, from memory if nothing came in it.
async fn of_space(
    context: &RequestContext,
    space: RoomNumber,
) -> Result<Arc<BTreeSet<OwnedRoomId>>, StoreFault> {
    let shared = &context.shared;
    let is_right = |logs: &Logs, as_of| !logs.events.may_have_changed(&space, as_of);
    // A picture of the room is no older than a snapshot that was taken before it.
    let read = |_: Snapshot| async move { Ok(Arc::new(read(context, space).await?)) };
    shared.sliding.spaces.of(space, &shared.changes, is_right, read).await
}

/// What the current state of a space says.
async fn read(context: &RequestContext, space: RoomNumber) -> Result<BTreeSet<OwnedRoomId>, StoreFault> {
    let mut ids = BTreeSet::new();
    let Some(scene) = context.scene(space).await? else { return Ok(ids) };
    let state = scene.reader.without_members(scene.view.root).await?;
    for page in state.chunks(PAGE) {
        for event in scene.events(page).await? {
            // An empty `via`, or none, says that the room is not in it any more.
            let has_via = |content: &plop_state::json::Object| {
                content.get("via").and_then(|via| via.as_array()).is_some_and(|via| !via.is_empty())
            };
            if event.pdu.type_name() == CHILD && has_via(&event.pdu.content_object()) {
                ids.extend(event.pdu.state_key().and_then(|key| RoomId::parse(key).ok()));
            }
        }
    }
    Ok(ids)
}
