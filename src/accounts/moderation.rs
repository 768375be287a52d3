//! What those who manage the server decide about an account: administrator, locked, suspended (client-server API, "Account moderation").
//!
//! Invariants: a change counts from the next request on: sessions of the user leave the cache with it. Nobody who is no administrator learns whether
//! there is an account; an administrator neither locks nor suspends another one, nor the own account.

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

/// What has been decided about an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moderation {
    pub locked: bool,
    pub suspended: bool,
}

/// Why a decision has no effect, or is not told.
#[derive(Debug, thiserror::Error)]
pub enum ModerationError {
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    #[error("administrators neither lock nor suspend themselves")]
    OwnAccount,
    #[error("the user is an administrator, too")]
    Administrator,
    #[error("the user is not one of this server")]
    NotLocal,
    /// Never there, or deactivated.
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
        let user = self.moderated(actor, user)?.to_owned();
        let guard = self.parts().user_guards.lock(user.as_str()).await;
        let snapshot = self.snapshot();
        let row = self.active_user(&snapshot, &user).await.map_err(StoreError::from)?;
        let row = row.ok_or(ModerationError::NoAccount)?;
        match decision {
            Decision::Admin(_) => {}
            Decision::Locked(_) | Decision::Suspended(_) => check_target(actor, &user, &row)?,
        }
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

    /// What has been decided about an account.
    pub async fn moderation(&self, actor: &Actor, user: &UserId) -> Result<Moderation, ModerationError> {
        let user = self.moderated(actor, user)?;
        let row = self.active_user(&self.snapshot(), user).await.map_err(StoreError::from)?;
        let row = row.ok_or(ModerationError::NoAccount)?;
        if administrator(actor).is_some_and(|admin| admin != user) && row.admin {
            return Err(ModerationError::Administrator);
        }
        Ok(Moderation { locked: row.locked, suspended: row.suspended })
    }

    /// The user, if the actor decides about users of this server and this is one by the name.
    fn moderated<'a>(&self, actor: &Actor, user: &'a UserId) -> Result<&'a UserId, ModerationError> {
        managing_accounts(actor)?;
        if user.server_name() == self.parts().server { Ok(user) } else { Err(ModerationError::NotLocal) }
    }
}

/// Whether an actor may lock or suspend this account (client-server API, `PUT /admin/lock/{userId}`).
fn check_target(actor: &Actor, user: &UserId, row: &UserRow) -> Result<(), ModerationError> {
    match administrator(actor) {
        Some(admin) if admin == user => Err(ModerationError::OwnAccount),
        Some(_) if row.admin => Err(ModerationError::Administrator),
        Some(_) | None => Ok(()),
    }
}

/// The administrator who acts; the server itself is none.
fn administrator(actor: &Actor) -> Option<&UserId> {
    match actor {
        Actor::AdminAs { admin, .. } => Some(admin),
        Actor::User { .. }
        | Actor::AppService { .. }
        | Actor::Guest { .. }
        | Actor::ShadowBanned { .. }
        | Actor::Server
        | Actor::ServerAs { .. } => None,
    }
}
