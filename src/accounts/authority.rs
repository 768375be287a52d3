//! In whose name an account may be changed.

use plop_base::Actor;
use ruma::UserId;

/// The actor may not do this to that account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not allowed to act for this user")]
pub struct Forbidden;

/// Everybody acts for themselves only; who acts as another was allowed to by the entrance that made the actor.
pub(crate) fn acting_for(actor: &Actor, user: &UserId) -> Result<(), Forbidden> {
    if actor.user_id() == Some(user) { Ok(()) } else { Err(Forbidden) }
}

/// The user in whose name the actor acts; the server itself has no account.
pub(crate) fn own_account(actor: &Actor) -> Result<&UserId, Forbidden> {
    actor.user_id().ok_or(Forbidden)
}

/// Whether the actor may manage the accounts of others: the server itself, or an administrator. The admin API asks for the
/// administrator's flag before it makes such an actor.
pub(crate) fn managing_accounts(actor: &Actor) -> Result<(), Forbidden> {
    match actor {
        Actor::Server | Actor::AdminAs { .. } => Ok(()),
        Actor::User { .. }
        | Actor::AppService { .. }
        | Actor::Guest { .. }
        | Actor::ShadowBanned { .. }
        | Actor::ServerAs { .. } => Err(Forbidden),
    }
}
