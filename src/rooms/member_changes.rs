//! The members that are different in two states of a room.
//!
//! Owns: the comparison. Invariants: it costs what is different; the events are loaded page by page.

use std::collections::BTreeMap;

use plop_db::Snapshot;
use plop_state_store::EventNumber;
use plop_state_store::tree::Root;
use ruma::OwnedUserId;

use crate::fault::StoreFault;
use crate::members::Member;
use crate::parts::Core;
use crate::state_change::membership_of;
use crate::view::RoomView;

/// Events that are loaded at once.
const PAGE: usize = 200;

/// The members of `to` that are others in `from`; `None` for who has no member event in `to`. Both states are on disk, of the room of `view`.
pub async fn changed_members(
    core: &Core,
    snapshot: &Snapshot,
    view: &RoomView,
    from: Root,
    to: Root,
) -> Result<BTreeMap<OwnedUserId, Option<Member>>, StoreFault> {
    let differences = core.state.tree.diff(snapshot, view.grove(), from, to).await?;
    let mut changed = BTreeMap::new();
    for part in differences.chunks(PAGE) {
        // One of the two states has the entry.
        let numbers: Vec<EventNumber> =
            part.iter().filter_map(|found| found.after.or(found.before)).collect();
        let events = core.events.get_many(snapshot, view.number, view.rules, &numbers).await?;
        for (found, event) in part.iter().zip(events) {
            let user = event.pdu.as_state().filter(|key| key.kind() == "m.room.member");
            if let Some(user) = user.and_then(|key| OwnedUserId::try_from(key.key()).ok()) {
                let membership = membership_of(&event, view.rules);
                changed.insert(user, found.after.map(|event| Member { membership, event }));
            }
        }
    }
    Ok(changed)
}
