//! How much a user has not read of a room (client-server API, "Receiving notifications").
//!
//! Owns: when threads are counted for themselves. Does not own: counting ([`plop_unread`]).
//!
//! Invariants: a count is exact at the answer's position, so it fits the events that the answer shows.

use std::borrow::Cow;

use plop_db::{Position, Snapshot};
use plop_rooms::{RoomView, StoreFault};
use plop_unread::{Counts, NotifiedUser};

use crate::context::RequestContext;
use crate::response::UnreadNotifications;

/// The counts of a room. The picture was taken after the position was published.
pub async fn counts(
    context: &RequestContext,
    snapshot: &Snapshot,
    view: &RoomView,
    to: Position,
) -> Result<UnreadNotifications, StoreFault> {
    if !context.filter.timeline.unread_by_thread {
        return Ok(UnreadNotifications::InRoom(in_room(context, snapshot, view, to).await?));
    }
    let unread = &context.shared.parts.unread;
    let reader = notified(context, snapshot).await?;
    Ok(UnreadNotifications::ByThread(unread.counts_by_thread(snapshot, &reader, view, to).await?))
}

/// The counts of a room, threads and all.
pub async fn in_room(
    context: &RequestContext,
    snapshot: &Snapshot,
    view: &RoomView,
    to: Position,
) -> Result<Counts, StoreFault> {
    let reader = notified(context, snapshot).await?;
    context.shared.parts.unread.counts(snapshot, &reader, view, to).await
}

async fn notified<'a>(
    context: &'a RequestContext,
    snapshot: &Snapshot,
) -> Result<Cow<'a, NotifiedUser>, StoreFault> {
    Ok(match &context.notified {
        Some(notified) => Cow::Borrowed(notified),
        None => Cow::Owned(context.shared.parts.unread.notified_user(snapshot, &context.user).await?),
    })
}
