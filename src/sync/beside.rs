//! What a room has beside its events: receipts, typing, account data.
//!
//! Owns: what of these goes into the answer. Does not own: the streams ([`crate::receipts`], [`crate::typing`], [`crate::account_data`]).
//!
//! Invariants: none of it needs the room itself, so somebody typing in a large room loads nothing of it.

use plop_accounts::account_data::all_account_data;
use plop_db::ReadError;
use plop_ephemeral::receipts::Receipt;
use plop_rooms::StoreFault;

use crate::account_data;
use crate::context::RequestContext;
use crate::frame::Part;
use crate::news::RoomNews;
use crate::receipts::{self, RECEIPT};
use crate::response::Events;
use crate::scene::RoomRef;
use crate::typing::{self, TYPING};

/// Receipts and typing.
pub struct Ephemeral {
    pub events: Events,
    /// The user has read further, which changes what is unread.
    pub has_read: bool,
}

/// Receipts and typing.
pub async fn ephemeral(
    context: &RequestContext,
    room_ref: &RoomRef<'_>,
    part: Part,
    news: &RoomNews,
) -> Result<Ephemeral, StoreFault> {
    let filter = &context.filter.ephemeral;
    let mut events = Events::new();
    let moved = receipts(context, room_ref, part, news).await?;
    let has_read = moved.iter().any(|receipt| receipt.user == context.user);
    if !filter.keeps_room(room_ref.id) {
        return Ok(Ephemeral { events, has_read });
    }
    if filter.keeps_unsent(RECEIPT) {
        events.extend(receipts::events(&moved, &context.ignored));
    }
    if filter.keeps_unsent(TYPING) {
        let users =
            typing::users(room_ref.snapshot, &context.shared.parts.typing, room_ref.number, &context.ignored)
                .await?;
        // In a room that is new to the client nobody types until somebody does.
        if news.typing || part.since.is_none() && !users.is_empty() {
            events.push(typing::list(&users));
        }
    }
    Ok(Ephemeral { events, has_read })
}

/// The receipts that are told of.
async fn receipts(
    context: &RequestContext,
    room_ref: &RoomRef<'_>,
    part: Part,
    news: &RoomNews,
) -> Result<Vec<Receipt>, ReadError> {
    // All of them have the user's own that moved, too.
    let Some(since) = part.since else {
        return receipts::full(room_ref.snapshot, room_ref.number, context.user(), part.to).await;
    };
    let mut moved = news.private_receipts.clone();
    if news.receipts {
        moved.extend(receipts::changes(room_ref.snapshot, room_ref.number, since, part.to).await?);
    }
    Ok(moved)
}

/// The user's account data of the room: all of it, or what changed.
pub async fn account_data(
    context: &RequestContext,
    room_ref: &RoomRef<'_>,
    part: Part,
    news: &RoomNews,
) -> Result<Events, StoreFault> {
    let filter = &context.filter.room_account_data;
    if !filter.keeps_room(room_ref.id) {
        return Ok(Events::new());
    }
    if part.since.is_some() {
        return Ok(account_data::events(&news.account_data, filter));
    }
    let items = all_account_data(room_ref.snapshot, context.user(), Some(room_ref.id)).await?;
    Ok(account_data::events(&items, filter))
}
