//! What those who manage the server decide about an account: administrator, locked, suspended (client-server API, "Account moderation").
//!
//! Invariants: a change counts from the next request on: sessions of the user leave the cache with it.

use plop_base::Actor;
use plop_db::{Batch, KeyRange, ReadError};
use ruma::UserId;

use crate::accounts::Accounts;
use crate::authority::{Forbidden, managing_accounts};
use crate::error::StoreError;
use crate::schema::{DeviceTokens, UserRow, Users};
use crate::tokens::tokens_of;

/// A decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Admin(bool),
    Locked(bool),
    Suspended(bool),
}

/// Why a decision has no effect.
#[derive(Debug, thiserror::Error)]
pub enum ModerationError {
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    #[error("there is no such account")]
    NoAccount,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Accounts {
    /// The account of a user of this server, deactivated or not.
    pub async fn account(&self, user: &UserId) -> Result<Option<UserRow>, ReadError> {
        self.snapshot().get::<Users>(&user.to_owned()).await
    }

    /// Applies a decision.
    pub async fn decide(
        &self,
        actor: &Actor,
        user: &UserId,
        decision: Decision,
    ) -> Result<(), ModerationError> {
        managing_accounts(actor)?;
        let user = user.to_owned();
        let guard = self.parts().user_guards.lock(user.as_str()).await;
        let snapshot = self.snapshot();
        let row = self.active_user(&snapshot, &user).await.map_err(StoreError::from)?;
        let row = row.ok_or(ModerationError::NoAccount)?;
        let range = KeyRange::<DeviceTokens>::prefix(&user);
        let tokens = tokens_of(&snapshot, range).await.map_err(StoreError::from)?;
        let mut batch = Batch::durable();
        batch.expect::<Users>(&user, Some(&row));
        let row = match decision {
            Decision::Admin(admin) => UserRow { admin, ..row },
            Decision::Locked(locked) => UserRow { locked, ..row },
            Decision::Suspended(suspended) => UserRow { suspended, ..row },
        };
        batch.put::<Users>(&user, &row);
        let sessions: Vec<_> = tokens.into_iter().map(|((_, _, token), _)| token).collect();
        self.commit_ending(batch, sessions, &guard).await.map_err(StoreError::from)?;
        Ok(())
    }
}
