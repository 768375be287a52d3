//! Users whose messages a user does not want to see (client-server API, "Ignoring Users").
//!
//! Owns: a bounded cache of their lists. Does not own: reading them ([`plop_accounts::ignored_users`]), what is left out because of them.
//!
//! Invariants: no older than the last change that was acknowledged before it is asked for.

use std::collections::BTreeSet;
use std::sync::Arc;

use plop_accounts::ignored_users;
use plop_db::ReadError;
use ruma::{OwnedUserId, UserId};

use crate::as_of::AsOf;
use crate::changes::{Logs, SharedChanges};

/// Bytes of lists that are kept, about. Most are empty.
const CACHE_BYTES: u64 = 8 << 20;

/// The lists of users.
pub struct IgnoredUsers(AsOf<OwnedUserId, Arc<BTreeSet<OwnedUserId>>>);

impl Default for IgnoredUsers {
    fn default() -> Self {
        const LIST: u64 = 192;
        const USER: u64 = 64;
        Self(AsOf::new(CACHE_BYTES, LIST, |users| LIST + USER * users.len() as u64))
    }
}

impl IgnoredUsers {
    /// Whom a user ignores.
    pub async fn of(
        &self,
        user: &UserId,
        changes: &SharedChanges,
    ) -> Result<Arc<BTreeSet<OwnedUserId>>, ReadError> {
        let owner = user.to_owned();
        let read = |snapshot| async move {
            let mut users = ignored_users::ignored_users(&snapshot, user).await?.users;
            // Nobody loses sight of what they send themselves.
            users.remove(user);
            Ok(Arc::new(users))
        };
        let is_right = |logs: &Logs, as_of| !logs.account_data.may_have_changed(&owner, as_of);
        self.0.of(user.to_owned(), changes, is_right, read).await
    }
}
