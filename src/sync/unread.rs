//! How much a user has not read of a room (client-server API, "Receiving notifications").
//!
//! Owns: when threads are counted for themselves. Does not own: counting ([`plop_unread`]).
//!
//! Invariants: a count is exact at the answer's position, so it fits the events that the answer shows.

use plop_db::{Position, Snapshot};
use plop_rooms::{RoomView, StoreFault};

use crate::asking::Asking;
use crate::response::UnreadNotifications;

/// The counts of a room. The picture was taken after the position was published.
pub async fn counts(
    asking: &Asking,
    snapshot: &Snapshot,
    view: &RoomView,
    to: Position,
) -> Result<UnreadNotifications, StoreFault> {
    let (unread, reader) = (&asking.shared.parts.unread, &asking.notified);
    Ok(if asking.filter.timeline.unread_by_thread {
        let counts = unread.counts_by_thread(snapshot, reader, view, to).await;
        UnreadNotifications::ByThread(counts?)
    } else {
        UnreadNotifications::InRoom(unread.counts(snapshot, reader, view, to).await?)
    })
}
