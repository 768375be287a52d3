//! The rules for `m.room.member` (rule 4 of most versions, 5 of versions 1 to 5 and of 12).
//!
//! That an event which names an authoriser is signed by the authoriser's server is checked with the signatures
//! ([`crate::sign`]), before any of this.

use ruma::UserId;

use crate::json::Value;
use crate::pdu::Pdu;
use crate::version::Rules;

use super::authority::Authority;
use super::error::AuthError;
use super::power_levels::LevelField;
use super::settings::{JoinRule, Membership};
use super::state::AuthState;
use super::third_party_invite;

pub(super) fn check(event: &Pdu, rules: &Rules, state: &impl AuthState) -> Result<(), AuthError> {
    let target = event.state_key().filter(|target| is_user_id(target)).ok_or(AuthError::MemberStateKey)?;
    let content = event.content_object();
    let membership = Membership::of(event, rules).ok_or(AuthError::UnknownMembership)?;
    let authoriser = match content.get("join_authorised_via_users_server") {
        Some(authoriser) if rules.spec.authorization.restricted_join_rule => {
            let user = authoriser.as_str().filter(|user| is_user_id(user));
            Some(user.ok_or(AuthError::MalformedAuthoriser)?)
        }
        _ => None,
    };
    let change = Change { event, target, authority: state.authority(), state };
    match membership {
        Membership::Join => change.check_join(authoriser),
        Membership::Invite => change.check_invite(content.get("third_party_invite")),
        Membership::Leave => change.check_leave(),
        Membership::Ban => change.check_ban(),
        Membership::Knock => change.check_knock(),
    }
}

fn is_user_id(text: &str) -> bool {
    <&UserId>::try_from(text).is_ok()
}

/// A change of `target`'s membership by the event's sender.
struct Change<'a, S> {
    event: &'a Pdu,
    target: &'a str,
    authority: &'a Authority,
    state: &'a S,
}

impl<S: AuthState> Change<'_, S> {
    fn sender(&self) -> &str {
        self.event.sender().as_str()
    }

    fn is_own(&self) -> bool {
        self.sender() == self.target
    }

    fn target_membership(&self) -> Option<Membership> {
        self.state.membership(self.target)
    }

    fn check_sender_joined(&self) -> Result<(), AuthError> {
        match self.state.membership(self.sender()) {
            Some(Membership::Join) => Ok(()),
            _ => Err(AuthError::SenderNotJoined),
        }
    }

    /// Whether the sender has the level to kick or ban and is above the target.
    fn outranks_target(&self, field: LevelField) -> bool {
        self.authority.may(self.sender(), field)
            && self.authority.power(self.target) < self.authority.power(self.sender())
    }

    fn check_join(&self, authoriser: Option<&str>) -> Result<(), AuthError> {
        let follows_create = matches!(self.event.prev_events(), [only] if only == self.authority.create_id());
        if follows_create && self.authority.creator() == Some(self.target) {
            return Ok(());
        }
        if !self.is_own() {
            return Err(AuthError::JoinOrKnockForOtherUser);
        }
        let invited = match self.target_membership() {
            Some(Membership::Ban) => return Err(AuthError::Banned),
            Some(Membership::Invite | Membership::Join) => true,
            Some(Membership::Leave | Membership::Knock) | None => false,
        };
        match self.state.join_rule() {
            JoinRule::Public => Ok(()),
            JoinRule::Closed => Err(AuthError::JoinRuleClosed),
            _ if invited => Ok(()),
            JoinRule::Invite | JoinRule::Knock => Err(AuthError::NotInvited),
            JoinRule::Restricted | JoinRule::KnockRestricted => self.check_authoriser(authoriser),
        }
    }

    fn check_authoriser(&self, authoriser: Option<&str>) -> Result<(), AuthError> {
        let authorised = authoriser.is_some_and(|user| {
            self.state.membership(user) == Some(Membership::Join)
                && self.authority.may(user, LevelField::Invite)
        });
        if authorised { Ok(()) } else { Err(AuthError::NotAuthorised) }
    }

    fn check_invite(&self, third_party_invite: Option<&Value>) -> Result<(), AuthError> {
        if let Some(invite) = third_party_invite {
            if self.target_membership() == Some(Membership::Ban) {
                return Err(AuthError::Banned);
            }
            third_party_invite::check(invite, self.target, self.sender(), self.state)?;
            return Ok(());
        }
        self.check_sender_joined()?;
        if matches!(self.target_membership(), Some(Membership::Join | Membership::Ban)) {
            return Err(AuthError::InviteOfJoinedOrBanned);
        }
        if !self.authority.may(self.sender(), LevelField::Invite) {
            return Err(AuthError::InviteLevel);
        }
        Ok(())
    }

    fn check_leave(&self) -> Result<(), AuthError> {
        if self.is_own() {
            return match self.target_membership() {
                Some(Membership::Invite | Membership::Join | Membership::Knock) => Ok(()),
                Some(Membership::Leave | Membership::Ban) | None => Err(AuthError::NothingToLeave),
            };
        }
        self.check_sender_joined()?;
        if self.target_membership() == Some(Membership::Ban)
            && !self.authority.may(self.sender(), LevelField::Ban)
        {
            return Err(AuthError::BanLevel);
        }
        if !self.outranks_target(LevelField::Kick) {
            return Err(AuthError::KickLevel);
        }
        Ok(())
    }

    fn check_ban(&self) -> Result<(), AuthError> {
        self.check_sender_joined()?;
        if !self.outranks_target(LevelField::Ban) {
            return Err(AuthError::BanLevel);
        }
        Ok(())
    }

    fn check_knock(&self) -> Result<(), AuthError> {
        if !self.state.join_rule().allows_knock() {
            return Err(AuthError::KnockNotAllowed);
        }
        if !self.is_own() {
            return Err(AuthError::JoinOrKnockForOtherUser);
        }
        match self.target_membership() {
            Some(Membership::Ban | Membership::Invite | Membership::Join) => Err(AuthError::KnockOfMember),
            Some(Membership::Knock | Membership::Leave) | None => Ok(()),
        }
    }
}
