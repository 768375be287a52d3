//! Messages to the device that syncs (client-server API, "Send-to-Device messaging").
//!
//! Owns: from where the device goes on, and that what it has got is deleted. Does not own: the messages.
//!
//! Invariants: a message is deleted when the device comes back with a token that it got with the message, or with a later one. A token that another device got says
//! nothing about this one: it gets everything that waits.

use plop_base::Actor;
use plop_db::{Position, ReadError};
use plop_e2ee::to_device::{ToDevicePage, to_device_messages};

use crate::shared::{Parts, Shared};
use crate::token::{Holder, SyncToken};

/// From where the holder of a token goes on.
pub fn since(token: Option<SyncToken>, holder: Holder) -> Position {
    token.filter(|token| token.holder == holder).map_or(Position::START, |token| token.to_device)
}

/// Deletes what the device has got.
pub async fn acknowledge(shared: &Shared, actor: &Actor, since: Position) {
    let (Some(user), Some(device)) = (actor.user_id(), actor.device_id()) else { return };
    if since == Position::START {
        return;
    }
    if let Err(error) = shared.parts.to_device.acknowledge(user, device, since).await {
        // They go with the next token.
        tracing::warn!(%error, "delivered to-device messages were not deleted");
    }
}

/// What waits for the device, one page of it, of at most `limit` messages.
pub async fn page(
    shared: &Shared,
    actor: &Actor,
    since: Position,
    to: Position,
    limit: usize,
) -> Result<ToDevicePage, ReadError> {
    let nothing = ToDevicePage { messages: Vec::new(), end: to, more: false };
    let Parts { db, to_device, .. } = &shared.parts;
    let (Some(user), Some(device)) = (actor.user_id(), actor.device_id()) else { return Ok(nothing) };
    if to_device.has_none(user, device) {
        return Ok(nothing);
    }
    to_device_messages(&db.snapshot(), user, device, since, to, limit).await
}
