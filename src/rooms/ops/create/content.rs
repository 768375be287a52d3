//! The contents of a new room's first events (client-server API, `POST /createRoom`).
//!
//! Owns: defaults and presets, as pure functions of the request.

use plop_accounts::profile::MemberProfile;
use plop_state::Rules;
use plop_state::json::{Object, Value};
use ruma::UserId;

use super::request::{CreateRoom, Preset};

/// A content of one string.
pub fn text(key: &str, value: &str) -> Object {
    Object::from([(key.to_owned(), value.into())])
}

/// A content of these members.
pub fn object<const N: usize>(members: [(&str, Value); N]) -> Object {
    members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// `m.room.create`: what the creator gives, with the keys that are the server's to set.
pub fn create(creator: &UserId, request: &CreateRoom, rules: &Rules) -> Object {
    let mut content = request.creation_content.clone();
    set_origin(&mut content, creator, rules);
    let is_trusted = request.preset == Preset::TrustedPrivateChat && !request.invite.is_empty();
    if rules.spec.authorization.additional_room_creators && is_trusted {
        let given =
            content.entry("additional_creators".to_owned()).or_insert_with(|| Value::Array(Vec::new()));
        // Anything but a list is left for the rules to refuse.
        if let Value::Array(creators) = given {
            for user in request.invite.iter().filter(|user| *user != creator) {
                if !creators.iter().any(|known| known.as_str() == Some(user.as_str())) {
                    creators.push(user.as_str().into());
                }
            }
        }
    }
    content
}

/// The keys of a create event that are the server's to set.
pub fn set_origin(content: &mut Object, creator: &UserId, rules: &Rules) {
    content.insert("room_version".to_owned(), rules.version.as_str().into());
    if rules.spec.authorization.use_room_create_sender {
        content.remove("creator");
    } else {
        content.insert("creator".to_owned(), creator.as_str().into());
    }
}

/// `m.room.member` with what the user's profile says.
pub fn member(membership: &str, profile: &MemberProfile, is_direct: bool) -> Object {
    let mut content = text("membership", membership);
    if let Some(name) = &profile.displayname {
        content.insert("displayname".to_owned(), name.as_str().into());
    }
    if let Some(avatar) = &profile.avatar_url {
        content.insert("avatar_url".to_owned(), avatar.as_str().into());
    }
    if is_direct {
        content.insert("is_direct".to_owned(), true.into());
    }
    content
}

/// `m.room.topic`, with the plain text also in the extensible form (client-server API, `m.room.topic`).
pub fn topic(topic: &str) -> Object {
    let representations = object([("m.text", Value::Array(vec![text("body", topic).into()]))]);
    object([("topic", topic.into()), ("m.topic", representations.into())])
}

/// The level of an administrator where creators have no power of their own.
pub const ADMIN: i64 = 100;

/// "MUST explicitly be higher than state_default": only creators replace a room of version 12.
pub const TOMBSTONE: i64 = 150;

/// `m.room.power_levels`: the defaults, the preset's differences, and on top what the creator overrides.
pub fn power_levels(creator: &UserId, request: &CreateRoom, rules: &Rules) -> Object {
    let creators_have_power = rules.spec.authorization.explicitly_privilege_room_creators;
    let tombstone = if creators_have_power { TOMBSTONE } else { ADMIN };
    let mut users = Object::new();
    if !creators_have_power {
        users.insert(creator.to_string(), Value::Int(ADMIN));
        if request.preset == Preset::TrustedPrivateChat {
            users.extend(request.invite.iter().map(|user| (user.to_string(), Value::Int(ADMIN))));
        }
    }
    let events = object([
        ("m.room.name", Value::Int(50)),
        ("m.room.avatar", Value::Int(50)),
        ("m.room.canonical_alias", Value::Int(50)),
        ("m.room.power_levels", Value::Int(ADMIN)),
        ("m.room.history_visibility", Value::Int(ADMIN)),
        ("m.room.encryption", Value::Int(ADMIN)),
        ("m.room.server_acl", Value::Int(ADMIN)),
        ("m.room.tombstone", Value::Int(tombstone)),
    ]);
    let invite = if request.preset == Preset::PublicChat { 50 } else { 0 };
    let mut content = object([
        ("users", users.into()),
        ("users_default", Value::Int(0)),
        ("events", events.into()),
        ("events_default", Value::Int(0)),
        ("state_default", Value::Int(50)),
        ("ban", Value::Int(50)),
        ("kick", Value::Int(50)),
        ("redact", Value::Int(50)),
        ("invite", Value::Int(invite)),
        ("historical", Value::Int(ADMIN)),
    ]);
    content.extend(request.power_levels_override.clone());
    content
}

/// The events of a preset.
pub fn preset(preset: Preset) -> [(&'static str, Object); 3] {
    let (join_rule, guest_access) = match preset {
        Preset::PrivateChat | Preset::TrustedPrivateChat => ("invite", "can_join"),
        Preset::PublicChat => ("public", "forbidden"),
    };
    [
        ("m.room.join_rules", text("join_rule", join_rule)),
        ("m.room.history_visibility", text("history_visibility", "shared")),
        ("m.room.guest_access", text("guest_access", guest_access)),
    ]
}
