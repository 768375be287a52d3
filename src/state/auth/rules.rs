//! The rules that read the state: for every event, in the order of the room versions' pages.

use crate::pdu::Pdu;
use crate::version::Rules;

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
    if event.state_key().is_some_and(|key| key.starts_with('@') && key != sender.as_str()) {
        return Err(AuthError::StateKeyOfOtherUser);
    }
    match kind {
        "m.room.power_levels" => check_power_levels(event, rules, state),
        "m.room.redaction" if flags.special_case_room_redaction => check_redaction(event, state),
        _ => Ok(()),
    }
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
