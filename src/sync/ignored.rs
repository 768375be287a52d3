//! Users whose messages a user does not want to see (client-server API, "Ignoring Users").
//!
//! Owns: a bounded cache of their lists. Does not own: reading them ([`plop_accounts::ignored_users`]), what is left out because of them.
//!
//! Invariants: no older than the last change that was acknowledged before it is asked for.

use std::collections::BTreeSet;
use std::sync::Arc;

use plop_accounts::ignored_users;
use plop_db::{Db, Position, ReadError};
use quick_cache::sync::Cache;
use ruma::{OwnedUserId, UserId};

use crate::changes::SharedChanges;

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
            && !changes.now().0.logs.account_data.may_have_changed(&user, known.as_of)
        {
            return Ok(Arc::clone(&known.users));
        }
        let snapshot = self.db.snapshot();
        let mut users = ignored_users::ignored_users(&snapshot, &user).await?.users;
        // Nobody loses sight of what they send themselves.
        users.remove(&user);
        let users = Arc::new(users);
        let known = Known { as_of: snapshot.position(), users: Arc::clone(&users) };
        self.cache.insert(user, Arc::new(known));
        Ok(users)
    }
}
