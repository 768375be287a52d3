//! What an answer tells that belongs to no room: messages to the device (MSC3885), account data (MSC3959), thread subscriptions (MSC4308).
//!
//! Owns: from where each goes on. Does not own: the streams.
//!
//! Invariants: messages have a token of their own, and go when it comes back. Account data goes on from the client's position, or is told as a whole where the
//! connection has told none; so do thread subscriptions, the newest of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use plop_accounts::account_data::AccountDataItem;
use plop_accounts::thread_subscriptions::{End, ThreadSubscriptionsPage, thread_subscription_changes};
use plop_db::{Position, ReadError};
use plop_e2ee::to_device::MAX_PAGE_MESSAGES;
use plop_rooms::schema::RoomIds;
use plop_state_store::RoomNumber;
use ruma::OwnedRoomId;

use super::pos::ToDevicePos;
use super::request::{SlidingError, ToDeviceRequest};
use crate::account_data;
use crate::context::RequestContext;
use crate::response::Events;
use crate::to_device;
use crate::token::Holder;

/// Messages to the device.
#[derive(Debug)]
pub struct ToDevice {
    pub events: Vec<Arc<str>>,
    pub next: ToDevicePos,
}

/// From where the device goes on; what it has got is deleted. A token of another device, or of another database, is as none.
pub async fn acknowledge(
    context: &RequestContext,
    request: &ToDeviceRequest,
) -> Result<Position, SlidingError> {
    let Some(since) = request.since.as_deref().filter(|since| !since.is_empty()) else {
        return Ok(Position::START);
    };
    let since: ToDevicePos = since.parse().map_err(|_| SlidingError::NoToDeviceToken)?;
    let db = &context.shared.parts.db;
    let holder = Holder::new(context.user(), context.actor.device_id());
    let is_known = since.database == db.identity()
        && since.holder == holder
        && since.position <= context.shared.changes.now().1;
    if !is_known {
        return Ok(Position::START);
    }
    to_device::acknowledge(&context.shared, &context.actor, since.position).await;
    Ok(since.position)
}

/// What waits for the device.
pub async fn to_device(
    context: &RequestContext,
    request: &ToDeviceRequest,
    since: Position,
    to: Position,
) -> Result<ToDevice, ReadError> {
    let limit = request.limit.unwrap_or(MAX_PAGE_MESSAGES).clamp(1, MAX_PAGE_MESSAGES);
    let page = to_device::page(&context.shared, &context.actor, since, to, limit).await?;
    let database = context.shared.parts.db.identity();
    let holder = Holder::new(context.user(), context.actor.device_id());
    // Nothing new leaves the token as it is: it is still right.
    let position = if page.messages.is_empty() && since != Position::START { since } else { page.end };
    Ok(ToDevice { events: page.messages, next: ToDevicePos { database, position, holder } })
}

/// Account data that is told.
#[derive(Debug, Default)]
pub struct AccountData {
    /// Of the user as a whole.
    pub global: Events,
    pub rooms: BTreeMap<RoomNumber, Vec<AccountDataItem>>,
}

/// What changed since a position; without one all that belongs to no room.
pub async fn account_data(
    context: &RequestContext,
    since: Option<Position>,
    to: Position,
) -> Result<AccountData, ReadError> {
    let (shared, user) = (&context.shared, context.user());
    let db = &shared.parts.db;
    let Some(since) = since else {
        let mut global = account_data::global(&db.snapshot(), user).await?;
        account_data::put_push_rules(db, user, &mut global, true).await?;
        let global = account_data::events(&global, &context.filter.account_data);
        return Ok(AccountData { global, ..AccountData::default() });
    };
    if !shared.changes.now().0.logs.account_data.may_have_changed(&context.user, since) {
        return Ok(AccountData::default());
    }
    let changed = account_data::changes(&db.snapshot(), user, since, to).await?;
    let (of_rooms, mut global): (Vec<_>, Vec<_>) = changed.into_iter().partition(|item| item.room.is_some());
    account_data::put_push_rules(db, user, &mut global, false).await?;
    let mut by_id: BTreeMap<OwnedRoomId, Vec<AccountDataItem>> = BTreeMap::new();
    for item in of_rooms {
        if let Some(id) = item.room.clone() {
            by_id.entry(id).or_default().push(item);
        }
    }
    let ids: Vec<OwnedRoomId> = by_id.keys().cloned().collect();
    let numbers = db.snapshot().get_many::<RoomIds>(&ids).await?;
    // There may be account data of a room that this server does not know.
    let rooms = numbers.into_iter().zip(by_id.into_values());
    let rooms = rooms.filter_map(|(number, items)| Some((number?, items))).collect();
    Ok(AccountData { global: account_data::events(&global, &context.filter.account_data), rooms })
}

/// The newest changes of thread subscriptions since a position; without one since ever. What they leave out is the page's `next`.
pub async fn thread_subscriptions(
    context: &RequestContext,
    told_to: Option<Position>,
    to: Position,
    limit: usize,
) -> Result<ThreadSubscriptionsPage, ReadError> {
    let shared = &context.shared;
    let is_told = |told_to| {
        let (changes, _) = shared.changes.now();
        !changes.logs.thread_subscriptions.may_have_changed(&context.user, told_to)
    };
    if told_to.is_some_and(is_told) {
        return Ok(ThreadSubscriptionsPage::default());
    }
    let after = told_to.unwrap_or(Position::START);
    let snapshot = shared.parts.db.snapshot();
    thread_subscription_changes(&snapshot, context.user(), after, End::At(to), limit).await
}
