//! Hostile input that no single rule covers.

use ed25519_dalek::Signer;
use proptest::prelude::*;
use serde_json::json;

use super::room::*;
use crate::auth::AuthError::*;
use crate::auth::{
    Authority, Cited, HistoryVisibility, JoinRule, Membership, ThirdPartyInviteError, check,
    check_by_auth_events, types_of,
};
use crate::pdu::Pdu;
use crate::state_key::StateKey;

#[test]
fn b3_37_first_join_is_the_creator_s() {
    // A room that has nothing but its create event.
    for version in ALL {
        let mut room = room().in_version(version);
        let create = room.create.clone();
        room.state.clear();
        room.set_pdu(create);
        for (user, allowed) in [(CREATOR, true), (ADMIN, false), (STRANGER, false)] {
            let event = room.event(&Draft::join(user).following_create());
            assert_eq!(room.check(&event).is_ok(), allowed, "{user} (version {version})");
            assert_eq!(room.check_by_auth_events(&event).is_ok(), allowed, "{user} (version {version})");
        }
        // Not even the creator may do anything else first.
        let event = room.event(&Draft::levels(CREATOR, json!({})).following_create());
        assert_eq!(room.check(&event), Err(SenderNotJoined));
    }
}

#[test]
fn b3_58_naming_an_authoriser_gives_no_power() {
    // The signature is checked before; without one that may invite, nobody is let in.
    let content =
        json!({ "membership": "join", "join_authorised_via_users_server": "@nobody:c" }).to_string();
    let join = Draft::join(STRANGER).content(&content);
    for join_rule in ["restricted", "knock_restricted"] {
        for version in 10..=12 {
            let room = room().join_rule(join_rule).in_version(version);
            assert_eq!(room.check(&room.event(&join)), Err(NotAuthorised));
        }
    }
}

/// 900 keys and 600 signatures, of which the last is right: without a bound it would be found, after half a minute.
#[test]
fn b3_60_third_party_invites_with_many_keys_and_signatures() {
    let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
    let public = crate::unpadded_base64::encode(key.verifying_key().as_bytes());
    let right = key.sign(format!(r#"{{"mxid":"{STRANGER}","token":"t"}}"#).as_bytes()).to_bytes();
    let keys: Vec<_> = (0..900).map(|_| json!({ "public_key": public })).collect();
    let invites = |wrong: usize| {
        let signature = |n| crate::unpadded_base64::encode(if n == wrong { &right } else { &[1; 64] });
        let signatures: serde_json::Map<_, _> =
            (0..=wrong).map(|n| (format!("ed25519:{n:04}"), json!(signature(n)))).collect();
        let signed = json!({ "mxid": STRANGER, "token": "t", "signatures": { "id": signatures } });
        let content = json!({ "membership": "invite", "third_party_invite": { "signed": signed } });
        Draft::member(USER, STRANGER, "invite").content(&content.to_string())
    };
    let room =
        room().with(Draft::state(USER, "m.room.third_party_invite", "t", json!({ "public_keys": keys })));
    let room = room.in_version(12);
    assert_eq!(room.check(&room.event(&invites(0))), Ok(()));
    let verdict = room.check(&room.event(&invites(599)));
    assert_eq!(verdict, Err(ThirdPartyInvite(ThirdPartyInviteError::Signature)));
}

/// The largest power levels that fit an event: checking a change of them stays cheap.
#[test]
fn b3_39_power_levels_of_65_kilobytes() {
    let users: serde_json::Map<_, _> =
        (0..2300).map(|n| (format!("@user{n}:example.org"), json!(1))).collect();
    let mut next = users.clone();
    next.insert("@user7:example.org".to_owned(), json!(2));
    for version in 1..=11 {
        let room = room().levels(json!({ "users": users })).in_version(version);
        next.insert(CREATOR.to_owned(), json!(100));
        let event = room.event(&Draft::levels(CREATOR, json!({ "users": next })));
        assert_eq!(room.check(&event), Ok(()));
    }
}

#[derive(Debug, Clone)]
struct Text(String);

/// Any JSON, of words that the rules know.
fn any_json() -> impl Strategy<Value = Text> {
    let word = prop::sample::select(vec![
        "membership",
        "join",
        "invite",
        "leave",
        "ban",
        "knock",
        "join_rule",
        "public",
        "restricted",
        "users",
        "events",
        "notifications",
        "room",
        "ban",
        "kick",
        "redact",
        "invite",
        "users_default",
        "events_default",
        "state_default",
        "creator",
        "additional_creators",
        "m.federate",
        "room_version",
        "third_party_invite",
        "signed",
        "mxid",
        "token",
        "signatures",
        "public_key",
        "public_keys",
        "ed25519:1",
        "allow",
        "join_authorised_via_users_server",
        "history_visibility",
        "@user:a",
        "@stranger:b",
        "@",
        "",
        "1",
        "-",
        "\\u0000",
    ]);
    let number = prop::sample::select(vec![
        "0",
        "-1",
        "9007199254740991",
        "1.5",
        "-0",
        "1e308",
        "99999999999999999999",
    ]);
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("{}".to_owned()),
        number.prop_map(str::to_owned),
        word.clone().prop_map(|word| format!("\"{word}\"")),
    ];
    let value = leaf.prop_recursive(4, 40, 6, move |inner| {
        let members = prop::collection::btree_map(word.clone(), inner.clone(), 0..6).prop_map(|members| {
            let members: Vec<_> = members.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
            format!("{{{}}}", members.join(","))
        });
        let items = prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(",")));
        prop_oneof![3 => members, 1 => items]
    });
    value.prop_map(Text)
}

fn any_event() -> impl Strategy<Value = Draft> {
    let kind = prop::sample::select(vec![
        "m.room.create",
        "m.room.member",
        "m.room.power_levels",
        "m.room.join_rules",
        "m.room.third_party_invite",
        "m.room.aliases",
        "m.room.redaction",
        "m.room.history_visibility",
        "m.room.message",
    ]);
    let users = prop::sample::select(vec![CREATOR, USER, STRANGER]);
    let state_key = prop::option::of(prop::sample::select(vec![
        "",
        "@user:a",
        "@stranger:b",
        "a",
        "@",
        "token",
        "\u{0}",
    ]));
    (kind, users, state_key, any_json(), any::<bool>()).prop_map(
        |(kind, sender, state_key, content, follows_create)| Draft {
            kind: kind.to_owned(),
            sender: sender.to_owned(),
            state_key: state_key.map(str::to_owned),
            content: content.0,
            follows_create,
            redacts: None,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever an event or the events of a state hold, there is a verdict.
    #[test]
    fn b3_69_no_content_panics(
        version in ALL,
        event in any_event(),
        others in prop::collection::vec(any_event(), 0..6),
    ) {
        let mut room = room().in_version(version);
        let room_id = room.create.room_id().to_owned();
        let written = |draft: &Draft| -> Option<Pdu> {
            let has_room_id = draft.kind != "m.room.create" || version < 12;
            write(room.rules, draft, has_room_id.then_some(room_id.as_str()), &[], &[]).ok()
        };
        let others: Vec<Pdu> = others.iter().filter_map(written).collect();
        let Some(event) = written(&event) else { return Ok(()) };
        for other in others {
            let _ = (Membership::of(&other, room.rules), JoinRule::of(&other, room.rules), HistoryVisibility::of(&other));
            let _ = Authority::new(&other, Some(&event), room.rules);
            if other.state_key().is_some() {
                room.set_pdu(other);
            }
        }
        let _ = types_of(&event, room.rules);
        let _ = check(&event, room.rules, |key: &StateKey| room.get(key));
        let all: Vec<_> = room.state.values().map(|event| event.event_id().to_owned()).take(10).collect();
        let draft = Draft {
            kind: event.type_name().to_owned(),
            sender: event.sender().to_string(),
            state_key: event.state_key().map(str::to_owned),
            content: event.content_text().to_owned(),
            follows_create: false,
            redacts: None,
        };
        if let Ok(citing) = write(room.rules, &draft, Some(room_id.as_str()), &[], &all) {
            let _ = check_by_auth_events(&citing, room.rules, |id| match room.look_up(id) {
                Cited::Missing => Cited::Accepted(event.clone()),
                found => found,
            });
        }
    }
}
