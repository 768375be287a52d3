//! Users whom a user ignores (client-server API, "Ignoring Users"): the account data `m.ignored_user_list`, written by clients.

use std::collections::BTreeSet;

use plop_db::{Keyspace, Position, ReadError, Snapshot};
use ruma::{OwnedUserId, UserId};
use serde_json::Value;

use crate::schema::{AccountData, AccountDataRow};

/// The type of the account data.
pub const KIND: &str = "m.ignored_user_list";

/// A user's list at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IgnoredUsers {
    pub users: BTreeSet<OwnedUserId>,
    /// When it changed last; `None` for one that was never written.
    pub changed: Option<Position>,
}

impl IgnoredUsers {
    /// The list in this row of account data. What is no user id ignores nobody; a client may write anything.
    pub fn of_row(row: Option<AccountDataRow>) -> Self {
        let content = row.as_ref().and_then(|row| serde_json::from_str::<Value>(&row.content.0).ok());
        let listed = content.as_ref().and_then(|content| content.get("ignored_users")?.as_object());
        let users = listed.into_iter().flat_map(|listed| listed.keys());
        let users = users.filter_map(|user| UserId::parse(user).ok()).collect();
        Self { users, changed: row.map(|row| row.position) }
    }
}

/// The users whom a user ignores. It may be newer than the snapshot's position.
pub async fn ignored_users(snapshot: &Snapshot, user: &UserId) -> Result<IgnoredUsers, ReadError> {
    Ok(IgnoredUsers::of_row(snapshot.get::<AccountData>(&account_data_key(user)).await?))
}

/// Where a user's list is.
pub fn account_data_key(user: &UserId) -> <AccountData as Keyspace>::Key {
    (user.to_owned(), None, KIND.to_owned())
}
