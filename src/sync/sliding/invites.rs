//! Which invites a user wants to see (client-server API, "Invite permission", "Ignoring Users").
//!
//! Owns: [`InviteRules`], what decides it, and a bounded cache of what the user says of invites. Does not own: the account data, whom the user ignores; what
//! becomes of invites that are not wanted ([`super::order`]).
//!
//! Invariants: no older than the last change of account data that was acknowledged before it is asked for.

use std::collections::BTreeSet;
use std::sync::Arc;

use plop_accounts::invite_permission::InviteWishes;
use plop_db::ReadError;
use ruma::{OwnedUserId, UserId};

use crate::as_of::AsOf;
use crate::changes::{Logs, SharedChanges};
use crate::ignored::IgnoredUsers;
use crate::outside;

/// Bytes of what users say that are kept, about.
const CACHE_BYTES: u64 = 8 << 20;

/// What users say of invites.
pub struct Invites(AsOf<OwnedUserId, Arc<InviteWishes>>);

impl Default for Invites {
    fn default() -> Self {
        Self(AsOf::new(CACHE_BYTES, 512, |wishes| 256 + wishes.memory() as u64))
    }
}

/// Which invites a user wants to see.
#[derive(Debug, Clone)]
pub struct InviteRules {
    ignored: Arc<BTreeSet<OwnedUserId>>,
    wishes: Arc<InviteWishes>,
}

impl InviteRules {
    /// Whether an invite by somebody is wanted.
    pub fn allow(&self, inviter: &UserId) -> bool {
        outside::is_wanted(inviter, &self.ignored, &self.wishes)
    }

    /// Whether nothing has changed between these two.
    pub fn are(&self, others: &Self) -> bool {
        Arc::ptr_eq(&self.ignored, &others.ignored) && Arc::ptr_eq(&self.wishes, &others.wishes)
    }
}

impl Invites {
    /// The rules of a user.
    pub async fn rules(
        &self,
        user: &UserId,
        ignored: &IgnoredUsers,
        changes: &SharedChanges,
    ) -> Result<InviteRules, ReadError> {
        let owner = user.to_owned();
        let is_right = |logs: &Logs, as_of| !logs.account_data.may_have_changed(&owner, as_of);
        let read = |snapshot| async move { Ok(Arc::new(InviteWishes::of(&snapshot, user).await?)) };
        let wishes = self.0.of(owner.clone(), changes, is_right, read).await?;
        Ok(InviteRules { ignored: ignored.of(user, changes).await?, wishes })
    }
}
