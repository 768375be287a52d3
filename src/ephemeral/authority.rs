//! Who may be seen doing what: one decision for typing, receipts and presence.
//!
//! Owns: whether an actor may act for a user, and whether others see it. Does not own: membership in the room (the edge asks rooms).

use plop_base::Actor;
use ruma::UserId;

/// The actor acts for somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("may only be done for oneself")]
pub struct Forbidden;

/// Whether others see what the actor does in the name of `user`: not if the user is shadow-banned. The server acts for any user, for it hands on
/// what other servers say.
pub(crate) fn is_seen_as(actor: &Actor, user: &UserId) -> Result<bool, Forbidden> {
    let (acting, seen) = match actor {
        Actor::Server => return Ok(true),
        Actor::User { user, .. }
        | Actor::AppService { user, .. }
        | Actor::Guest { user, .. }
        | Actor::AdminAs { user, .. }
        | Actor::ServerAs { user } => (user, true),
        Actor::ShadowBanned { user, .. } => (user, false),
    };
    if acting == user { Ok(seen) } else { Err(Forbidden) }
}
