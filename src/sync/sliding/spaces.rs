//! The rooms of spaces, for the filter of that name.
//!
//! Owns: reading them. Does not own: the state.
//!
//! Invariants: only a space that the user is in says what is in it. Spaces in it are not looked into (MSC4186, `SlidingRoomFilter`).

use std::collections::BTreeSet;

use plop_rooms::StoreFault;
use plop_rooms::schema::RoomIds;
use plop_state_store::RoomNumber;
use ruma::{OwnedRoomId, RoomId};

use crate::asking::Asking;
use crate::memberships::UserRoomSet;

/// The type of the events that say what is in a space.
const CHILD: &str = "m.space.child";
/// Events that are loaded at once.
const PAGE: usize = 200;

/// The rooms that are in one of these spaces.
pub async fn children(
    asking: &Asking,
    rooms: &UserRoomSet,
    spaces: &BTreeSet<OwnedRoomId>,
) -> Result<BTreeSet<RoomNumber>, StoreFault> {
    let db = &asking.shared.parts.db;
    let spaces: Vec<OwnedRoomId> = spaces.iter().cloned().collect();
    let numbers = db.snapshot().get_many::<RoomIds>(&spaces).await?;
    let mut ids: BTreeSet<OwnedRoomId> = BTreeSet::new();
    for space in numbers.into_iter().flatten().filter(|space| rooms.joined.contains_key(space)) {
        let Some(scene) = asking.scene(space).await? else { continue };
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
    }
    let ids: Vec<OwnedRoomId> = ids.into_iter().collect();
    Ok(db.snapshot().get_many::<RoomIds>(&ids).await?.into_iter().flatten().collect())
}
