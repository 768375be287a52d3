//! Which step a user can take, as far as their membership alone decides.
//!
//! Owns: the table of steps. Does not own: power and join rules, which the room's rules judge.
//!
//! Invariants: pure.

use plop_state::auth::AuthError;
use ruma::UserId;

use crate::ops::refusal::Refusal;
use crate::schema::Membership;

/// What someone asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Join,
    /// Says again that one is in the room, with the profile as it is now.
    Refresh,
    Knock,
    Leave,
    Invite,
    Kick,
    Ban,
    Unban,
}

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It makes an event, which the room's rules are to judge.
    Event,
    /// Nothing: it is so already.
    Nothing,
}

impl Step {
    /// The membership that it ends in.
    pub fn leads_to(self) -> Membership {
        match self {
            Self::Join | Self::Refresh => Membership::Join,
            Self::Knock => Membership::Knock,
            Self::Invite => Membership::Invite,
            Self::Leave | Self::Kick | Self::Unban => Membership::Leave,
            Self::Ban => Membership::Ban,
        }
    }

    /// Whether it is a member's step, about someone else.
    pub fn is_done_to_others(self) -> bool {
        match self {
            Self::Invite | Self::Kick | Self::Ban | Self::Unban => true,
            Self::Join | Self::Refresh | Self::Knock | Self::Leave => false,
        }
    }

    /// Whether it only brings the user in or out, or their profile up to date.
    pub fn moves_oneself(self) -> bool {
        match self {
            Self::Join | Self::Refresh | Self::Leave => true,
            Self::Knock | Self::Invite | Self::Kick | Self::Ban | Self::Unban => false,
        }
    }

    /// What one hears whom the room does not concern.
    pub fn refusal_of_strangers(self) -> Refusal {
        match self {
            Self::Join | Self::Knock => Refusal::NotAdmitted,
            Self::Refresh | Self::Leave | Self::Invite | Self::Kick | Self::Ban | Self::Unban => {
                Refusal::NotInRoom
            }
        }
    }
}

/// What `step` does to a user whose membership is `now` (`None` for one who never had to do with the room), if it makes sense.
pub fn effect(
    step: Step,
    target: &UserId,
    now: Option<Membership>,
    may_invite: impl FnOnce() -> bool,
) -> Result<Effect, Refusal> {
    use Membership::{Ban, Invite, Join, Knock, Leave};
    match (step, now) {
        (Step::Join | Step::Knock | Step::Leave, Some(Ban)) => Err(Refusal::Banned),
        (Step::Join, _) | (Step::Refresh, Some(Join)) => Ok(Effect::Event),
        (Step::Refresh, _) => Err(Refusal::NotInRoom),
        (Step::Knock, Some(Join | Invite)) => Err(Refusal::WrongMembership),
        (Step::Knock, None | Some(Knock | Leave)) => Ok(Effect::Event),
        (Step::Leave, None) => Err(Refusal::NotInRoom),
        (Step::Leave, Some(Leave)) => Ok(Effect::Nothing),
        (Step::Leave, Some(Join | Invite | Knock)) => Ok(Effect::Event),
        (Step::Invite, Some(Join)) => Err(Refusal::TargetJoined(target.to_owned())),
        (Step::Invite | Step::Kick, Some(Ban)) => Err(Refusal::TargetBanned(target.to_owned())),
        (Step::Invite, Some(Invite)) if may_invite() => Ok(Effect::Nothing),
        (Step::Invite, None | Some(Invite | Knock | Leave)) => Ok(Effect::Event),
        (Step::Kick, Some(Join | Invite | Knock)) => Ok(Effect::Event),
        (Step::Kick, None | Some(Leave)) => Err(Refusal::TargetNotInRoom(target.to_owned())),
        (Step::Ban, _) | (Step::Unban, Some(Ban)) => Ok(Effect::Event),
        (Step::Unban, None | Some(Join | Invite | Knock | Leave)) => {
            Err(Refusal::TargetNotBanned(target.to_owned()))
        }
    }
}

/// The step that a whole member content stands for.
pub fn step_to(membership: Option<&str>, is_own: bool, now: Option<Membership>) -> Result<Step, Refusal> {
    match membership {
        Some("join") if is_own => Ok(Step::Join),
        Some("knock") if is_own => Ok(Step::Knock),
        Some("join" | "knock") => Err(Refusal::Rule(AuthError::JoinOrKnockForOtherUser)),
        Some("invite") => Ok(Step::Invite),
        Some("leave") if is_own => Ok(Step::Leave),
        Some("leave") if now == Some(Membership::Ban) => Ok(Step::Unban),
        Some("leave") => Ok(Step::Kick),
        Some("ban") => Ok(Step::Ban),
        _ => Err(Refusal::Rule(AuthError::UnknownMembership)),
    }
}
