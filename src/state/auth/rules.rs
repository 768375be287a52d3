//! The rules that read the state: for every event, in the order of the room versions' pages.

use ruma::UserId;

use crate::pdu::Pdu;
use crate::version::Rules;

use super::authority::Authority;
use super::error::AuthError;
use super::power_levels::{LevelField, PowerLevels};
use super::settings::Membership;
use super::state::AuthState;
use super::{create, member};

/// Whether `state` lets `event` in. For a create event, which no state precedes, this is its own rule.
///
/// Does not ask which auth events it cites: [`check_by_auth_events`](super::check_by_auth_events) does. The
/// signatures must have been verified.
pub fn check_in_state(event: &Pdu, rules: &Rules, state: &impl AuthState) -> Result<(), AuthError> {
    let flags = &rules.spec.authorization;
    let kind = event.type_name();
    if kind == "m.room.create" {
        return create::check(event, rules);
    }
    let authority = state.authority();
    let sender = event.sender();
    if !authority.admits(sender.server_name()) {
        return Err(AuthError::NotFederated);
    }
    if kind == "m.room.aliases" && flags.special_case_room_aliases {
        return check_aliases(event);
    }
    if kind == "m.room.member" {
        return member::check(event, rules, state);
    }
    if state.membership(sender.as_str()) != Some(Membership::Join) {
        return Err(AuthError::SenderNotJoined);
    }
    if kind == "m.room.third_party_invite" {
        let allowed = authority.may(sender.as_str(), LevelField::Invite);
        return if allowed { Ok(()) } else { Err(AuthError::InviteLevel) };
    }
    if !authority.may_send(sender.as_str(), kind, event.state_key().is_some()) {
        return Err(AuthError::EventLevel);
    }
    if let Some(key) = event.state_key().filter(|key| key.starts_with('@')) {
        check_owner(key, sender.as_str(), rules, authority)?;
    }
    match kind {
        "m.room.power_levels" => check_power_levels(event, rules, state),
        "m.room.redaction" if flags.special_case_room_redaction => check_redaction(event, state),
        _ => Ok(()),
    }
}

/// A state key that begins with `@` is the sender's id. Owned state: it begins with the id of a user, who is the sender or has less power.
fn check_owner(key: &str, sender: &str, rules: &Rules, authority: &Authority) -> Result<(), AuthError> {
    let owner = if rules.owned_state { owner(key).ok_or(AuthError::StateKeyWithoutOwner)? } else { key };
    let has_more_power = || rules.owned_state && authority.power(sender) > authority.power(owner);
    if owner == sender || has_more_power() { Ok(()) } else { Err(AuthError::StateKeyOfOtherUser) }
}

/// The user id that a state key is, or begins with: what follows does so behind an underscore, which no server's name has.
fn owner(key: &str) -> Option<&str> {
    let server = key.find(':')?;
    let (_, rest) = key.split_at(server);
    let (id, _) = key.split_at(rest.find('_').map_or(key.len(), |end| server + end));
    <&UserId>::try_from(id).is_ok().then_some(id)
}

/// Versions 1 to 5: each server has its own aliases event. Nothing else is asked, not even membership.
fn check_aliases(event: &Pdu) -> Result<(), AuthError> {
    if event.state_key() != Some(event.sender().server_name().as_str()) {
        return Err(AuthError::AliasesOfOtherServer);
    }
    Ok(())
}

fn check_power_levels(event: &Pdu, rules: &Rules, state: &impl AuthState) -> Result<(), AuthError> {
    let authority = state.authority();
    let new = PowerLevels::parse(event.content_object(), rules)?;
    if authority.privileged().any(|creator| new.names(creator)) {
        return Err(AuthError::PowerLevelsNameCreator);
    }
    match authority.levels() {
        Some(current) => {
            let sender = event.sender().as_str();
            current.check_change(&new, sender, authority.power(sender), rules)
        }
        None => Ok(()),
    }
}

/// Versions 1 and 2: the redact level, or an event of the same server by the names in the event ids. An event of these
/// versions always has a server in its id; the one it redacts may have none.
fn check_redaction(event: &Pdu, state: &impl AuthState) -> Result<(), AuthError> {
    if state.authority().may(event.sender().as_str(), LevelField::Redact) {
        return Ok(());
    }
    let own = event.event_id().server_name();
    let redacted = event.redacts().and_then(|id| id.server_name());
    if own == redacted { Ok(()) } else { Err(AuthError::RedactionOfOtherServer) }
}
