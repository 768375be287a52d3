//! Redaction: which members of an event survive, in each room version (client-server API, "Redactions", and the room
//! versions' pages).
//!
//! Owns: the redacted form of an event as canonical text, and the bytes that signatures and the reference hash cover.
//!
//! Does not own: whether a redaction may be applied.
//!
//! Invariants: redaction is idempotent and does not change the reference hash.

use ruma::room_version_rules::RedactionRules;

use crate::json::{Members, members, unescape};

/// The redacted form of an event, as canonical text.
pub fn redact(event: &Members<'_>, rules: &RedactionRules) -> String {
    write(event, rules, &[])
}

/// What a signature and the reference hash of an event cover: its redacted form without `signatures` and `unsigned`
/// (server-server API, "Adding hashes and signatures to outgoing events", "Calculating the reference hash").
pub(crate) fn signed_bytes(event: &Members<'_>, rules: &RedactionRules) -> String {
    write(event, rules, &["signatures"])
}

fn write(event: &Members<'_>, rules: &RedactionRules, except: &[&str]) -> String {
    let kind = event.get("type").and_then(unescape).unwrap_or_default();
    let mut out = String::with_capacity(1024);
    let kept = event.iter().filter(|(key, _)| keeps_member(key, rules) && !except.contains(key));
    write_object(&mut out, kept, |out, key, value| {
        if key == "content" { write_content(out, &kind, value, rules) } else { out.push_str(value) }
    });
    out
}

fn write_object<'a>(
    out: &mut String,
    kept: impl Iterator<Item = (&'a str, &'a str)>,
    mut value_of: impl FnMut(&mut String, &str, &str),
) {
    out.push('{');
    for (index, (key, value)) in kept.enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push('"');
        out.push_str(key);
        out.push_str("\":");
        value_of(out, key, value);
    }
    out.push('}');
}

fn keeps_member(key: &str, rules: &RedactionRules) -> bool {
    match key {
        "event_id" | "type" | "room_id" | "sender" | "state_key" | "content" | "hashes" | "signatures"
        | "depth" | "prev_events" | "auth_events" | "origin_server_ts" => true,
        "origin" | "membership" | "prev_state" => rules.keep_origin_membership_prev_state,
        _ => false,
    }
}

fn write_content(out: &mut String, kind: &str, content: &str, rules: &RedactionRules) {
    if kind == "m.room.create" && rules.keep_room_create_content {
        return out.push_str(content);
    }
    let Some(content) = members(content) else { return out.push_str("{}") };
    let invite = kept_invite(&content, kind, rules);
    let kept = content.iter().filter(|(key, _)| {
        keeps_content(kind, key, rules) || (*key == "third_party_invite" && invite.is_some())
    });
    write_object(out, kept, |out, key, value| match &invite {
        Some(invite) if key == "third_party_invite" => {
            write_object(out, invite.iter().filter(|(key, _)| *key == "signed"), |out, _, value| {
                out.push_str(value)
            });
        }
        _ => out.push_str(value),
    });
}

/// `third_party_invite` of a member event, where its version keeps it, with `signed` only (version 11).
fn kept_invite<'a>(content: &Members<'a>, kind: &str, rules: &RedactionRules) -> Option<Members<'a>> {
    if kind != "m.room.member" || !rules.keep_room_member_third_party_invite_signed {
        return None;
    }
    members(content.get("third_party_invite")?)
}

fn keeps_content(kind: &str, key: &str, rules: &RedactionRules) -> bool {
    match (kind, key) {
        ("m.room.member", "membership")
        | ("m.room.create", "creator")
        | ("m.room.join_rules", "join_rule") => true,
        ("m.room.member", "join_authorised_via_users_server") => {
            rules.keep_room_member_join_authorised_via_users_server
        }
        ("m.room.join_rules", "allow") => rules.keep_room_join_rules_allow,
        (
            "m.room.power_levels",
            "ban" | "events" | "events_default" | "kick" | "redact" | "state_default" | "users"
            | "users_default",
        ) => true,
        ("m.room.power_levels", "invite") => rules.keep_room_power_levels_invite,
        ("m.room.aliases", "aliases") => rules.keep_room_aliases_aliases,
        ("m.room.history_visibility", "history_visibility") => true,
        ("m.room.redaction", "redacts") => rules.keep_room_redaction_redacts,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
