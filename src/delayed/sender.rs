//! Who schedules, and as what an event is sent when its time has come.
//!
//! Owns: what a row keeps of an [`Actor`], and making one of it again. Does not own: what each may do (rooms decide when it is sent).
//!
//! Invariant: an event is sent as what its user was who scheduled it: nobody may more by waiting.

use plop_base::Actor;
use ruma::UserId;

use crate::refusal::DelayRefusal;
use crate::schema::{DelayedRow, ScheduledBy};

/// The user who schedules. Guests may, as those of calls do.
pub(crate) fn owner(actor: &Actor) -> Result<&UserId, DelayRefusal> {
    actor.user_id().ok_or(DelayRefusal::NoUser)
}

/// As what they do.
///
/// # Errors
/// `NoUser`.
pub(crate) fn scheduled_by(actor: &Actor) -> Result<ScheduledBy, DelayRefusal> {
    Ok(match actor {
        Actor::User { .. } => ScheduledBy::User,
        Actor::AppService { registration, .. } => {
            ScheduledBy::AppService { registration: registration.clone() }
        }
        Actor::Guest { .. } => ScheduledBy::Guest,
        Actor::AdminAs { admin, .. } => ScheduledBy::Admin { admin: admin.clone() },
        Actor::ShadowBanned { .. } => ScheduledBy::ShadowBanned,
        Actor::ServerAs { .. } => ScheduledBy::Server,
        Actor::Server => return Err(DelayRefusal::NoUser),
    })
}

/// Who sends an event. The device may be gone; what is sent later does not depend on it.
pub(crate) fn sender(row: &DelayedRow) -> Actor {
    let (user, device) = (row.user.clone(), row.device.as_str());
    match &row.by {
        ScheduledBy::User => Actor::User { user, device: device.into() },
        ScheduledBy::AppService { registration } => {
            let device = (!device.is_empty()).then(|| device.into());
            Actor::AppService { registration: registration.clone(), user, device }
        }
        ScheduledBy::Guest => Actor::Guest { user, device: device.into() },
        ScheduledBy::Admin { admin } => Actor::AdminAs { admin: admin.clone(), user },
        ScheduledBy::ShadowBanned => Actor::ShadowBanned { user, device: device.into() },
        ScheduledBy::Server => Actor::ServerAs { user },
    }
}
