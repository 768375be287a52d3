//! What a room has beside its events: receipts, typing, account data.
//!
//! Owns: what of these goes into the answer. Does not own: the streams ([`crate::receipts`], [`crate::typing`], [`crate::account_data`]).
//!
//! Invariants: none of it needs the room itself, so somebody typing in a large room loads nothing of it.

use plop_accounts::account_data::all_account_data;
use plop_rooms::operation::StoreFault;

use crate::account_data;
use crate::asking::Asking;
use crate::frame::Part;
use crate::news::RoomNews;
use crate::receipts::{self, RECEIPT};
use crate::response::Events;
use crate::scene::Place;
use crate::typing::{self, TYPING};

/// Receipts and typing.
pub async fn ephemeral(
    asking: &Asking<'_>,
    place: &Place<'_>,
    part: Part,
    news: &RoomNews,
) -> Result<Events, StoreFault> {
    let filter = &asking.filter.ephemeral;
    let mut events = Events::new();
    if !filter.keeps_room(place.id) {
        return Ok(events);
    }
    if filter.keeps_unsent(RECEIPT) {
        let found = match part.since {
            None => receipts::full(place.snapshot, place.room, asking.user, part.to).await?,
            Some(since) if news.receipts => {
                let mut found = receipts::changes(place.snapshot, place.room, since, part.to).await?;
                found.extend(news.private_receipts.iter().cloned());
                found
            }
            Some(_) => news.private_receipts.clone(),
        };
        events.extend(receipts::events(&found, &asking.ignored));
    }
    if filter.keeps_unsent(TYPING) {
        let users = typing::users(&asking.core.parts.typing, place.room, &asking.ignored);
        // In a room that is new to the client nobody types until somebody does.
        if news.typing || part.since.is_none() && !users.is_empty() {
            events.push(typing::list(&users));
        }
    }
    Ok(events)
}

/// The user's account data of the room: all of it, or what changed.
pub async fn account_data(
    asking: &Asking<'_>,
    place: &Place<'_>,
    part: Part,
    news: &RoomNews,
) -> Result<Events, StoreFault> {
    let filter = &asking.filter.room_account_data;
    if !filter.keeps_room(place.id) {
        return Ok(Events::new());
    }
    if part.since.is_some() {
        return Ok(account_data::events(&news.account_data, filter));
    }
    let items = all_account_data(place.snapshot, asking.user, Some(place.id)).await?;
    Ok(account_data::events(&items, filter))
}
