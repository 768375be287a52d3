//! Account data: what the user's clients keep on the server (client-server API, "Client Config").
//!
//! Owns: what is given of it, for the user as a whole and for rooms. Does not own: the rows.
//!
//! Invariants: a row may be newer than the answer's position; it then comes again. A piece that the filter does not want is read and left out. The
//! filter's `limit` is not for account data: what were cut off would never come.

use plop_accounts::account_data::{self, AccountDataItem};
use plop_accounts::push_rules;
use plop_db::{Db, Position, ReadError, Snapshot};
use plop_rooms::reader::filter::EventFilter;
use ruma::UserId;
use serde_json::Value;

use crate::bare_event::bare_event;
use crate::response::Events;
use crate::steps::{PAGE, Steps};

/// What belongs to no room.
pub async fn global(snapshot: &Snapshot, user: &UserId) -> Result<Vec<AccountDataItem>, ReadError> {
    account_data::all_account_data(snapshot, user, None).await
}

/// What changed, of the user as a whole and of rooms.
pub async fn changes(
    snapshot: &Snapshot,
    user: &UserId,
    since: Position,
    to: Position,
) -> Result<Vec<AccountDataItem>, ReadError> {
    let mut found = Vec::new();
    let mut steps = Steps::new(since, to);
    while let Some(after) = steps.next() {
        let page = account_data::account_data_changes(snapshot, user, after, to, PAGE).await?;
        steps.took(page.items.iter().map(|item| item.position), page.more);
        found.extend(page.items);
    }
    Ok(found)
}

/// Puts the user's push rules as they are in the place of what a row says of them; everybody has some (client-server API, "Push Rules: Events").
/// `all`: whether they are told even if they did not change.
pub async fn put_push_rules(
    db: &Db,
    user: &UserId,
    global: &mut Vec<AccountDataItem>,
    all: bool,
) -> Result<(), ReadError> {
    let told = global.iter().position(|item| item.kind == push_rules::KIND);
    if told.is_none() && !all {
        return Ok(());
    }
    let rules = push_rules::push_rules(&db.snapshot(), user).await?;
    let content = Value::Object(rules.content()).to_string();
    match told.and_then(|index| global.get_mut(index)) {
        Some(item) => item.content = content,
        None => {
            let position = rules.changed.unwrap_or(Position::START);
            let kind = push_rules::KIND.to_owned();
            global.push(AccountDataItem { room: None, kind, content, position });
        }
    }
    Ok(())
}

/// The form that clients get.
pub fn events<'i>(items: impl IntoIterator<Item = &'i AccountDataItem>, filter: &EventFilter) -> Events {
    let wanted = items.into_iter().filter(|item| filter.keeps_unsent(&item.kind));
    wanted.map(|item| bare_event(&item.kind, &item.content)).collect()
}
