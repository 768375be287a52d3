//! Which state an event names as its auth events (server-server API, "Auth events selection").

use ruma::UserId;

use crate::json::{Object, Value};
use crate::pdu::Pdu;
use crate::state_key::StateKey;
use crate::version::Rules;

use super::settings::Membership;

/// The keys of the state events that give `sender` the permission to send such an event, each once. Malformed
/// content selects less; the rules refuse it later.
pub fn types_for(
    kind: &str,
    sender: &UserId,
    state_key: Option<&str>,
    content: &Object,
    rules: &Rules,
) -> Vec<StateKey> {
    if kind == "m.room.create" {
        return Vec::new();
    }
    let mut keys = vec![StateKey::power_levels(), StateKey::member(sender.as_str())];
    if !rules.spec.authorization.room_create_event_id_as_room_id {
        keys.push(StateKey::create());
    }
    if kind == "m.room.member" {
        for key in types_for_member(state_key, content, rules) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
    }
    keys
}

/// [`types_for`] an event that exists.
pub fn types_of(event: &Pdu, rules: &Rules) -> Vec<StateKey> {
    let kind = event.type_name();
    // No other type's content matters, and it may be large.
    let content = if kind == "m.room.member" { event.content_object() } else { Object::new() };
    types_for(kind, event.sender(), event.state_key(), &content, rules)
}

fn types_for_member(target: Option<&str>, content: &Object, rules: &Rules) -> Vec<StateKey> {
    let mut keys: Vec<StateKey> = target.map(StateKey::member).into_iter().collect();
    let membership = Membership::parse(content.get("membership").and_then(Value::as_str), rules);
    if matches!(membership, Some(Membership::Join | Membership::Invite | Membership::Knock)) {
        keys.push(StateKey::join_rules());
    }
    if membership == Some(Membership::Invite)
        && let Some(token) =
            content.get("third_party_invite").and_then(|invite| invite.get("signed")?.get("token")?.as_str())
    {
        keys.push(StateKey::new("m.room.third_party_invite", token));
    }
    if membership == Some(Membership::Join)
        && rules.spec.authorization.restricted_join_rule
        && let Some(authoriser) = content.get("join_authorised_via_users_server").and_then(Value::as_str)
    {
        keys.push(StateKey::member(authoriser));
    }
    keys
}
