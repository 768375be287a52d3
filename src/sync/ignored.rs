//! Users whose messages a user does not want to see (client-server API, "Ignoring Users").
//!
//! Owns: reading `m.ignored_user_list`, and a bounded cache of it. Does not own: what is left out because of it.
//!
//! Invariants: no older than the last change that was acknowledged before it is asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plop_accounts::schema::AccountData;
use plop_db::{Db, Position, ReadError};
use quick_cache::sync::Cache;
use ruma::{OwnedUserId, UserId};
use serde_json::Value;

use crate::changes::SharedChanges;

/// The type of the account data.
pub const IGNORED_USERS: &str = "m.ignored_user_list";

/// Lists that are kept. Most are empty.
const CACHED: usize = 20_000;

/// The list of a user as of a position.
struct Known {
    as_of: Position,
    users: Arc<BTreeSet<OwnedUserId>>,
}

/// The lists of users.
pub struct IgnoredUsers {
    db: Db,
    cache: Cache<OwnedUserId, Arc<Known>>,
}

impl IgnoredUsers {
    pub fn new(db: Db) -> Self {
        Self { db, cache: Cache::new(CACHED) }
    }

    /// Whom a user ignores.
    pub async fn of(
        &self,
        user: &UserId,
        changes: &SharedChanges,
    ) -> Result<Arc<BTreeSet<OwnedUserId>>, ReadError> {
        let user = user.to_owned();
        if let Some(known) = self.cache.get(&user)
            && !changes.now().0.account_data.may_have_changed(&user, known.as_of)
        {
            return Ok(Arc::clone(&known.users));
        }
        let snapshot = self.db.snapshot();
        let key = (user, None, IGNORED_USERS.to_owned());
        let row = snapshot.get::<AccountData>(&key).await?;
        let users = Arc::new(row.map(|row| ignored(&row.content.0)).unwrap_or_default());
        let known = Known { as_of: snapshot.position(), users: Arc::clone(&users) };
        self.cache.insert(key.0, Arc::new(known));
        Ok(users)
    }
}

/// What a client wrote may be anything; a list that is none ignores nobody.
fn ignored(content: &str) -> BTreeSet<OwnedUserId> {
    let content: BTreeMap<String, Value> = serde_json::from_str(content).unwrap_or_default();
    let users = content.get("ignored_users").and_then(Value::as_object);
    users.into_iter().flatten().filter_map(|(user, _)| OwnedUserId::try_from(user.as_str()).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_list_ignores_nobody() {
        let read = |text| ignored(text).into_iter().map(|user| user.to_string()).collect::<Vec<_>>();
        assert_eq!(read(r#"{"ignored_users":{"@a:b":{},"@c:d":1}}"#), ["@a:b", "@c:d"]);
        for text in ["", "[]", "{}", r#"{"ignored_users":["@a:b"]}"#, r#"{"ignored_users":{"a":{}}}"#] {
            assert_eq!(read(text), Vec::<String>::new(), "{text}");
        }
    }
}
