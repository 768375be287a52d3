//! Account data: what the user's clients keep on the server (client-server API, "Client Config").
//!
//! Owns: what is given of it, for the user as a whole and for rooms. Does not own: the rows.
//!
//! Invariants: a row may be newer than the answer's position; it then comes again. A piece that the filter does not want is read and left out. The
//! filter's `limit` is not for account data: what were cut off would never come.

use std::collections::BTreeMap;

use plop_accounts::account_data::{self, AccountDataItem};
use plop_accounts::push_rules;
use plop_db::{Db, Position, ReadError, Snapshot};
use plop_rooms::reader::filter::EventFilter;
use plop_state::json::write_string;
use ruma::{OwnedRoomId, UserId};
use serde_json::Value;

use crate::response::Events;

/// Changes that are read at once.
const PAGE: usize = 500;

/// The account data of an answer.
#[derive(Debug, Default)]
pub struct AccountData {
    pub global: Vec<AccountDataItem>,
    pub rooms: BTreeMap<OwnedRoomId, Vec<AccountDataItem>>,
}

impl AccountData {
    fn add(&mut self, item: AccountDataItem) {
        match &item.room {
            None => self.global.push(item),
            Some(room) => self.rooms.entry(room.clone()).or_default().push(item),
        }
    }
}

/// All of it.
pub async fn full(snapshot: &Snapshot, user: &UserId) -> Result<AccountData, ReadError> {
    let mut data = AccountData::default();
    account_data::account_data_everywhere(snapshot, user).await?.into_iter().for_each(|item| data.add(item));
    Ok(data)
}

/// What changed.
pub async fn changes(
    snapshot: &Snapshot,
    user: &UserId,
    since: Position,
    to: Position,
) -> Result<AccountData, ReadError> {
    let mut data = AccountData::default();
    let mut after = since;
    loop {
        let page = account_data::account_data_changes(snapshot, user, after, to, PAGE).await?;
        let last = page.items.iter().map(|item| item.position).filter(|position| *position <= to).max();
        page.items.into_iter().for_each(|item| data.add(item));
        match last {
            Some(last) if page.more && last > after => after = last,
            _ => return Ok(data),
        }
    }
}

/// Puts the user's push rules as they are in the place of what a row says of them; everybody has some (client-server API, "Push Rules: Events").
/// `all`: whether they are told even if they did not change.
pub async fn put_push_rules(
    db: &Db,
    user: &UserId,
    data: &mut AccountData,
    all: bool,
) -> Result<(), ReadError> {
    let told = data.global.iter().position(|item| item.kind == push_rules::KIND);
    if told.is_none() && !all {
        return Ok(());
    }
    let rules = push_rules::push_rules(&db.snapshot(), user).await?;
    let content = Value::Object(rules.content()).to_string();
    match told.and_then(|index| data.global.get_mut(index)) {
        Some(item) => item.content = content,
        None => {
            let position = rules.changed.unwrap_or(Position::START);
            let kind = push_rules::KIND.to_owned();
            data.global.push(AccountDataItem { room: None, kind, content, position });
        }
    }
    Ok(())
}

/// The form that clients get.
pub fn events<'i>(items: impl IntoIterator<Item = &'i AccountDataItem>, filter: &EventFilter) -> Events {
    let wanted = items.into_iter().filter(|item| filter.keeps_unsent(&item.kind));
    wanted.map(|item| event(&item.kind, &item.content)).collect()
}

/// An event that is no more than a type and a content.
pub fn event(kind: &str, content: &str) -> String {
    let mut out = String::with_capacity(content.len() + kind.len() + 24);
    out.push_str("{\"content\":");
    out.push_str(content);
    out.push_str(",\"type\":");
    write_string(&mut out, kind);
    out.push('}');
    out
}
