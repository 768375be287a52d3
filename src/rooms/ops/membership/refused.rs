//! Steps that are refused for whose they are, whatever the room's rules say.
//!
//! Owns: what guests may do, and that an invitation of the server's cannot be rejected. Does not own: which step leads where ([`super::steps`]).

use plop_base::Actor;
use plop_state::auth::JoinRule;

use super::steps::Step;
use crate::event::RoomEvent;
use crate::operation::Operation;
use crate::ops::refusal::Refusal;
use crate::schema::Membership;
use crate::summary::guests_may_join;
use crate::view::RoomView;

/// What guests may do (client-server API, "Guest access"): join where `m.room.guest_access` says so, and leave.
pub fn check_guest(
    actor: &Actor,
    view: &RoomView,
    step: Step,
    now: Option<Membership>,
) -> Result<(), Refusal> {
    if !actor.is_guest() {
        return Ok(());
    }
    match step {
        Step::Leave | Step::Refresh => Ok(()),
        Step::Join if guests_may_join(view) => Ok(()),
        Step::Join => {
            let knows_the_room =
                view.join_rule() == JoinRule::Public || now.is_some_and(|now| now != Membership::Leave);
            Err(if knows_the_room { Refusal::Guest } else { Refusal::NotAdmitted })
        }
        Step::Knock | Step::Invite | Step::Kick | Step::Ban | Step::Unban => Err(Refusal::Guest),
    }
}

/// "Attempting to reject the invite must result in a `M_CANNOT_LEAVE_SERVER_NOTICE_ROOM` error." An account that ends takes its leave.
pub fn check_rejection(
    operation: &Operation<'_>,
    actor: &Actor,
    invite: Option<&RoomEvent>,
) -> Result<(), Refusal> {
    let is_of_users = match actor {
        Actor::User { .. } | Actor::AppService { .. } | Actor::Guest { .. } | Actor::ShadowBanned { .. } => {
            true
        }
        Actor::AdminAs { .. } | Actor::Server | Actor::ServerAs { .. } => false,
    };
    let inviter = invite.map(|invite| invite.pdu.sender());
    if is_of_users && inviter.is_some() && inviter == operation.core().notices_user.as_deref() {
        return Err(Refusal::ServerNoticeRoom);
    }
    Ok(())
}
