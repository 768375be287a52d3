//! What a redaction leaves in each room version; ruma is the second opinion.

use ruma::{CanonicalJsonObject, CanonicalJsonValue, canonical_json::redact as ruma_redact};
use serde_json::{Value, json};

use crate::fixtures::{all, builder, key, number, parse_json, state, to_json};
use crate::pdu::Pdu;

/// Everything that some version keeps, and things that none does.
fn full(kind: &str) -> Value {
    match kind {
        "m.room.member" => json!({
            "membership": "join", "join_authorised_via_users_server": "@a:b.test", "displayname": "A",
            "third_party_invite": {"signed": {"token": "t", "extra": 1}, "display_name": "x"},
        }),
        "m.room.create" => json!({"creator": "@a:b.test", "room_version": "1", "x": {"y": 1}}),
        "m.room.join_rules" => json!({"join_rule": "restricted", "allow": [1], "x": 1}),
        "m.room.power_levels" => json!({
            "ban": 1, "events": {"a": 1}, "events_default": 1, "invite": 1, "kick": 1, "notifications": {"room": 1}, "redact": 1,
            "state_default": 1, "users": {"@a:b.test": 1}, "users_default": 1, "x": 1,
        }),
        "m.room.aliases" => json!({"aliases": ["#a:b.test"], "x": 1}),
        "m.room.history_visibility" => json!({"history_visibility": "shared", "x": 1}),
        "m.room.redaction" => json!({"redacts": "$x:a.test", "reason": "r"}),
        _ => {
            json!({"membership": "join", "creator": "x", "aliases": [], "join_rule": "x", "redacts": "$x", "body": "secret"})
        }
    }
}

/// What is left of [`full`] in a version (room versions' pages, "Redactions").
fn kept(kind: &str, version: u8) -> Vec<&'static str> {
    let since = |first: u8, name: &'static str| (version >= first).then_some(name);
    match kind {
        "m.room.member" => [
            Some("membership"),
            since(9, "join_authorised_via_users_server"),
            since(11, "third_party_invite"),
        ]
        .into_iter()
        .flatten()
        .collect(),
        "m.room.create" if version >= 11 => vec!["creator", "room_version", "x"],
        "m.room.create" => vec!["creator"],
        "m.room.join_rules" => [Some("join_rule"), since(8, "allow")].into_iter().flatten().collect(),
        "m.room.power_levels" => {
            let levels = [
                "ban",
                "events",
                "events_default",
                "kick",
                "redact",
                "state_default",
                "users",
                "users_default",
            ];
            levels.into_iter().chain(since(11, "invite")).collect()
        }
        "m.room.aliases" if version < 6 => vec!["aliases"],
        "m.room.history_visibility" => vec!["history_visibility"],
        "m.room.redaction" if version >= 11 => vec!["redacts"],
        _ => vec![],
    }
}

const KINDS: [&str; 10] = [
    "m.room.member",
    "m.room.create",
    "m.room.join_rules",
    "m.room.power_levels",
    "m.room.aliases",
    "m.room.history_visibility",
    "m.room.redaction",
    "m.room.message",
    "m.room.encryption",
    "org.example.custom",
];

/// An event of that type with members beside the format's own.
fn event(rules: &crate::Rules, kind: &str) -> Pdu {
    let mut builder = state(rules, kind, "", full(kind));
    if kind == "m.room.create" && number(rules) == 12 {
        builder.room_id = None;
    }
    let mut event = to_json(&builder.build(rules, &key("a.test")).unwrap());
    for name in ["origin", "membership", "prev_state", "redacts", "extra"] {
        event[name] = json!("$x:a.test");
    }
    parse_json(&event, rules)
}

#[test]
fn each_version_keeps_its_members() {
    for rules in all() {
        let version = number(rules);
        for kind in KINDS {
            let pdu = event(rules, kind);
            let redacted = to_json(&pdu.redacted(rules));
            let names: Vec<&str> =
                redacted["content"].as_object().unwrap().keys().map(String::as_str).collect();
            let mut expected = kept(kind, version);
            expected.sort_unstable();
            assert_eq!(names, expected, "{kind} in version {version}");
            for name in &names {
                let left = &redacted["content"][name];
                match *name {
                    "third_party_invite" => assert_eq!(*left, json!({"signed": {"token": "t", "extra": 1}})),
                    _ => assert_eq!(*left, full(kind)[name]),
                }
            }
            for name in ["origin", "membership", "prev_state"] {
                assert_eq!(redacted.get(name).is_some(), version < 11, "{name} in version {version}");
            }
            assert!(redacted.get("extra").is_none() && redacted.get("redacts").is_none());
            for name in [
                "auth_events",
                "depth",
                "hashes",
                "origin_server_ts",
                "prev_events",
                "sender",
                "signatures",
                "state_key",
                "type",
            ] {
                assert_eq!(redacted[name], to_json(&pdu)[name]);
            }
        }
    }
}

#[test]
fn the_redacted_form_is_the_same_event() {
    for rules in all() {
        for kind in KINDS {
            let pdu = event(rules, kind);
            let once = pdu.redacted(rules);
            assert_eq!(once.redacted(rules).canonical(), once.canonical(), "idempotent");
            let read = Pdu::from_stored(once.canonical(), None, rules).unwrap();
            assert_eq!(read.event_id(), pdu.event_id());
            assert_eq!(format!("{read:?}"), format!("{once:?}"), "its fields are those of its text");
        }
    }
}

#[test]
fn ruma_redacts_the_same() {
    for rules in all() {
        for kind in KINDS {
            let pdu = event(rules, kind);
            let object: CanonicalJsonObject = serde_json::from_str(pdu.canonical()).unwrap();
            let theirs = ruma_redact(object, &rules.spec.redaction, None).unwrap();
            let theirs = CanonicalJsonValue::Object(theirs).to_string();
            assert_eq!(pdu.redacted(rules).canonical(), theirs, "{kind} in {:?}", rules.version);
        }
    }
}

/// Contents of odd shape, which the rules still have to take apart.
#[test]
fn odd_contents() {
    for rules in all() {
        let content = json!({"membership": {"a": 1}, "third_party_invite": 5, "join_authorised_via_users_server": null});
        let pdu = builder(rules, "m.room.member", content).build(rules, &key("a.test")).unwrap();
        let redacted = to_json(&pdu.redacted(rules));
        assert_eq!(redacted["content"]["membership"], json!({"a": 1}));
        assert!(redacted["content"].get("third_party_invite").is_none());
        let content = json!({"third_party_invite": {"display_name": "x"}});
        let pdu = builder(rules, "m.room.member", content).build(rules, &key("a.test")).unwrap();
        let expected = if number(rules) >= 11 { json!({"third_party_invite": {}}) } else { json!({}) };
        assert_eq!(to_json(&pdu.redacted(rules))["content"], expected);
    }
}
