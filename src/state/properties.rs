//! Properties of events: what holds for any JSON, any event and any bytes, and ruma as the second opinion.

use std::collections::BTreeMap;

use proptest::{collection, prelude::*};
use ruma::{CanonicalJsonObject, CanonicalJsonValue, RoomVersionId, serde::Base64, signatures as theirs};
use serde_json::json;

use crate::fixtures::{NOW, all, builder, key, keys, message, number, state, to_json};
use crate::{
    json::{NumberRule, Object, Value, canonical, members, parse, parse_event},
    pdu::{ClientFormat, Pdu, content_hash},
    sign::{Verified, sign_json, verify, verify_json},
    unpadded_base64,
    version::{ALL, Rules},
};

fn a_version() -> impl Strategy<Value = &'static Rules> {
    (0..ALL.len()).prop_map(|index| &ALL[index])
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z_.]{0,8}",
        collection::vec(any::<char>(), 0..6).prop_map(String::from_iter),
        collection::vec(
            prop_oneof![Just('"'), Just('\\'), Just('\0'), Just('\u{1f}'), Just('😀'), Just('\u{ffff}')],
            0..4
        )
        .prop_map(String::from_iter),
    ]
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (-9_007_199_254_740_991_i64..=9_007_199_254_740_991).prop_map(Value::Int),
        any_text().prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            collection::btree_map(any_text(), inner, 0..5).prop_map(Value::Object),
        ]
    })
}

/// Content that the redaction rules look into, with anything beside it.
fn any_content() -> impl Strategy<Value = Object> {
    let name = prop_oneof![
        3 => proptest::sample::select(vec![
            "membership", "third_party_invite", "join_authorised_via_users_server", "creator", "join_rule", "allow", "users",
            "events", "invite", "ban", "aliases", "history_visibility", "redacts", "signed",
        ]).prop_map(str::to_owned),
        1 => any_text(),
    ];
    collection::btree_map(name, any_value(), 0..8)
}

fn any_kind() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => proptest::sample::select(vec![
            "m.room.member", "m.room.create", "m.room.join_rules", "m.room.power_levels", "m.room.aliases",
            "m.room.history_visibility", "m.room.redaction", "m.room.message",
        ]).prop_map(str::to_owned),
        1 => any_text(),
    ]
}

prop_compose! {
    fn any_pdu()(rules in a_version(), kind in any_kind(), content in any_content(), state_key in any_text(), is_state: bool)
        -> (&'static Rules, Pdu) {
        let mut event = state(rules, &kind, &state_key, json!({}));
        event.content = content;
        event.state_key = event.state_key.filter(|_| is_state);
        if kind == "m.room.create" && number(rules) == 12 {
            event.room_id = None;
        }
        (rules, event.build(rules, &key("a.test")).unwrap())
    }
}

proptest! {
    #[test]
    fn canonical_text_is_a_fixed_point(value in any_value()) {
        let text = canonical(&value);
        for rule in [NumberRule::Strict, NumberRule::Lenient] {
            prop_assert_eq!(&parse(text.as_bytes(), rule).unwrap(), &value);
        }
        let sloppy = serde_json::to_string_pretty(&serde_json::from_str::<serde_json::Value>(&text).unwrap()).unwrap();
        prop_assert_eq!(canonical(&parse(sloppy.as_bytes(), NumberRule::Strict).unwrap()), &text[..]);
        let ruma: CanonicalJsonValue = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(ruma.to_string(), text);
    }

    #[test]
    fn members_agrees_with_the_parser(object in collection::btree_map(any_text(), any_value(), 0..6)) {
        let text = canonical(&object.clone().into());
        let read: BTreeMap<String, Value> = members(&text).unwrap().iter()
            .map(|(name, value)| {
                let name = crate::json::unescape(&format!("\"{name}\"")).unwrap().into_owned();
                (name, parse(value.as_bytes(), NumberRule::Strict).unwrap())
            })
            .collect();
        prop_assert_eq!(read, object);
    }

    #[test]
    fn doubles_are_written_as_they_read_back(double in any::<f64>()) {
        let token = format!("{double:e}");
        match parse(token.as_bytes(), NumberRule::Lenient) {
            Ok(value) => {
                let text = canonical(&value);
                prop_assert_eq!(canonical(&parse(text.as_bytes(), NumberRule::Lenient).unwrap()), &text[..]);
                prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), double.to_bits());
            }
            Err(_) => prop_assert!(!double.is_finite()),
        }
    }

    #[test]
    fn the_stored_form_reads_back((rules, pdu) in any_pdu()) {
        let stored = Pdu::from_stored(pdu.canonical(), None, rules).unwrap();
        prop_assert_eq!(format!("{stored:?}"), format!("{pdu:?}"));
        let parsed = Pdu::parse(pdu.canonical().as_bytes(), rules).unwrap();
        prop_assert_eq!(format!("{parsed:?}"), format!("{pdu:?}"));
        let shown = format!("{}}}", pdu.client_json(rules, ClientFormat::Full));
        prop_assert!(serde_json::from_str::<serde_json::Value>(&shown).is_ok());
    }

    #[test]
    fn redaction_is_idempotent_and_keeps_id_and_signature((rules, pdu) in any_pdu()) {
        let redacted = pdu.redacted(rules);
        let twice = redacted.redacted(rules);
        prop_assert_eq!(twice.canonical(), redacted.canonical());
        prop_assert_eq!(
            redacted.reference_hash_text(rules),
            pdu.reference_hash_text(rules)
        );
        let read = Pdu::from_stored(redacted.canonical(), None, rules).unwrap();
        prop_assert_eq!(format!("{read:?}"), format!("{redacted:?}"));
        let known = keys(&["a.test"]);
        let verdict = verify(&pdu, &known, rules);
        // Members with an authorising user or a third-party invite need, or do without, other servers.
        if pdu.type_name() != "m.room.member" {
            prop_assert_eq!(verdict, Ok(Verified::All));
            prop_assert!(verify(&redacted, &known, rules).is_ok());
        }
    }

    /// ruma says that it does not support versions before 6, yet without large numbers it hashes the same.
    #[test]
    fn ruma_hashes_and_verifies_the_same((rules, pdu) in any_pdu()) {
        // Of a `third_party_invite` that is no object, ruma keeps the whole value, the reference implementation nothing.
        let invite = members(pdu.content_text()).unwrap().get("third_party_invite");
        if invite.is_some_and(|invite| !invite.starts_with('{')) {
            return Ok(());
        }
        let object: CanonicalJsonObject = serde_json::from_str(pdu.canonical()).unwrap();
        let hash = unpadded_base64::encode(&content_hash(&pdu.members()));
        prop_assert_eq!(theirs::content_hash(&object).unwrap().encode(), hash);
        let reference = theirs::reference_hash(&object, &rules.spec).unwrap();
        let ours = pdu.reference_hash_text(rules);
        prop_assert_eq!(reference.replace('-', "+").replace('_', "/"), ours);
        let redacted = ruma::canonical_json::redact(object.clone(), &rules.spec.redaction, None).unwrap();
        let ours = pdu.redacted(rules);
        prop_assert_eq!(CanonicalJsonValue::Object(redacted).to_string(), ours.canonical());
        // ruma asks for the authorising server in any event, the specification in membership events only.
        let authorised = members(pdu.content_text()).unwrap().get("join_authorised_via_users_server").is_some();
        if pdu.type_name() != "m.room.member" && !authorised {
            let set = BTreeMap::from([("ed25519:1".to_owned(), Base64::new(key("a.test").public().to_vec()))]);
            let map = BTreeMap::from([("a.test".to_owned(), set)]);
            prop_assert_eq!(theirs::verify_event(&map, &object, &rules.spec).unwrap(), theirs::Verified::All);
        }
    }

    #[test]
    fn what_is_signed_verifies_and_what_is_changed_does_not(
        object in collection::btree_map("[a-z]{1,4}", any_value(), 0..6), other in any_value(),
    ) {
        let mut signed: Object = object;
        signed.remove("unsigned");
        sign_json(&mut signed, &key("a.test"));
        let verify_key = key("a.test").verify_key(NOW);
        prop_assert!(verify_json(&signed, "a.test", "ed25519:1", &verify_key));
        let before = signed.insert("changed".to_owned(), other);
        prop_assert!(before.is_none());
        prop_assert!(!verify_json(&signed, "a.test", "ed25519:1", &verify_key));
    }

    #[test]
    fn b1_01_random_bytes_do_no_harm(raw in collection::vec(any::<u8>(), 0..300), rules in a_version()) {
        read_everything(&raw, rules);
    }

    #[test]
    fn b1_01_json_like_bytes_do_no_harm(
        raw in collection::vec(proptest::sample::select(&br#"{}[]":,\u0d8enltrfas. -+19E"#[..]), 0..120), rules in a_version(),
    ) {
        read_everything(&raw, rules);
    }

    #[test]
    fn b1_01_mutated_events_do_no_harm(
        (rules, pdu) in any_pdu(),
        cuts in collection::vec((any::<proptest::sample::Index>(), any::<u8>(), 0_u8..4), 1..4),
    ) {
        let mut raw = pdu.canonical().as_bytes().to_vec();
        for (index, byte, how) in cuts {
            if raw.is_empty() {
                break;
            }
            let at = index.index(raw.len());
            match how {
                0 => raw[at] = byte,
                1 => raw.insert(at, byte),
                2 => drop(raw.remove(at)),
                _ => raw.truncate(at.max(1)),
            }
        }
        read_everything(&raw, rules);
    }

    #[test]
    fn b1_01_mutated_members_do_no_harm(rules in a_version(), name in proptest::sample::select(vec![
        "auth_events", "content", "depth", "event_id", "hashes", "origin_server_ts", "prev_events", "redacts", "room_id", "sender",
        "signatures", "state_key", "type", "unsigned",
    ]), value in any_value()) {
        let mut event = to_json(&message(rules));
        event[name] = serde_json::from_str(&canonical(&value)).unwrap();
        read_everything(event.to_string().as_bytes(), rules);
    }
}

/// Whatever can be asked of remote bytes. What is accepted must also be stable.
fn read_everything(raw: &[u8], rules: &Rules) {
    for rule in [NumberRule::Strict, NumberRule::Lenient] {
        if let Ok(value) = parse(raw, rule) {
            let text = canonical(&value);
            assert_eq!(parse(text.as_bytes(), rule).as_ref(), Ok(&value));
        }
        let _ = parse_event(raw, rule);
    }
    if let Ok(text) = std::str::from_utf8(raw) {
        let _ = members(text);
        if let Ok(pdu) = Pdu::from_stored(text, None, rules) {
            let _ = (pdu.content_object(), pdu.redacted(rules), verify(&pdu, &keys(&["a.test"]), rules));
        }
    }
    if let Ok(pdu) = Pdu::parse(raw, rules) {
        let stored = Pdu::from_stored(pdu.canonical(), None, rules).unwrap();
        assert_eq!(format!("{stored:?}"), format!("{pdu:?}"));
        let redacted = pdu.redacted(rules);
        assert_eq!(Pdu::from_stored(redacted.canonical(), None, rules).unwrap().event_id(), pdu.event_id());
        let _ = (pdu.client_json(rules, ClientFormat::Full), verify(&pdu, &keys(&["a.test"]), rules));
    }
}

#[test]
fn ruma_knows_the_same_rules() {
    for rules in all() {
        let version = RoomVersionId::try_from(number(rules).to_string().as_str()).unwrap();
        assert_eq!(format!("{:?}", version.rules().unwrap()), format!("{:?}", rules.spec));
    }
    let message = builder(&ALL[0], "m.room.message", json!({}));
    assert!(message.build(&ALL[0], &key("a.test")).is_ok());
}
