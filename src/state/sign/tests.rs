//! Signatures: the vectors of the specification, and everything that must not verify.

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use plop_base::UnixMillis;
use plop_base::limits::MAX_ID_BYTES;
use ruma::{EventId, ServerName};
use serde_json::{Value, json};

use crate::fixtures::{
    NOW, all, builder, changed, key, keys, message, number, parse_json, state, to_json, verify_keys, version,
};
use crate::{
    json::{NumberRule, Object, canonical, members, parse_object},
    pdu::{FormatError, Pdu, content_hash},
    sign::{
        KeyError, SignatureError, SigningKey, Validity, Verified, VerifyKey, VerifyKeys, countersign,
        keys_wanted, required_signers, sign_event, sign_json, verify, verify_json,
    },
    unpadded_base64,
};

const DAY: u64 = 24 * 60 * 60 * 1000;

fn server(name: &str) -> ruma::OwnedServerName {
    ServerName::parse(name).unwrap()
}

fn object(value: &Value) -> Object {
    parse_object(value.to_string().as_bytes(), NumberRule::Strict).unwrap()
}

/// The key of the appendices, "Cryptographic Test Vectors".
fn vector_key() -> SigningKey {
    // The seed as printed has bits beyond its 32 bytes, which a lenient decoder drops.
    let seed = unpadded_base64::decode("YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1").unwrap();
    SigningKey::from_seed(server("domain"), "1", &seed.try_into().unwrap()).unwrap()
}

#[test]
fn json_signing_vectors() {
    for (value, signature) in [
        (json!({}), "K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ"),
        (
            json!({"one": 1, "two": "Two"}),
            "KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw",
        ),
    ] {
        let mut signed = object(&value);
        sign_json(&mut signed, &vector_key());
        let mut expected = value;
        expected["signatures"] = json!({"domain": {"ed25519:1": signature}});
        assert_eq!(signed, object(&expected));
        assert!(verify_json(&signed, "domain", "ed25519:1", &vector_key().verify_key(NOW)));
    }
}

#[test]
fn event_signing_vectors() {
    let minimal = json!({
        "room_id": "!x:domain", "sender": "@a:domain", "origin": "domain", "origin_server_ts": 1_000_000, "type": "X",
        "content": {}, "prev_events": [], "auth_events": [], "depth": 3,
    });
    let redactable = json!({
        "content": {"body": "Here is the message content"}, "event_id": "$0:domain", "origin": "domain",
        "origin_server_ts": 1_000_000, "type": "m.room.message", "room_id": "!r:domain", "sender": "@u:domain",
    });
    for (event, hash, signature) in [
        (
            minimal,
            "5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos",
            "KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg",
        ),
        (
            redactable,
            "onLKD1bGljeBWQhWZ1kaP9SorVmRQNdN5aM2JYU2n/g",
            "Wm+VzmOUOz08Ds+0NTWb1d4CZrVsJSikkeRxh6aCcUwu6pNC78FunoD7KNWzqFn241eYHYMGCA5McEiVPdhzBA",
        ),
    ] {
        let mut event = object(&event);
        let hashed =
            unpadded_base64::encode(&content_hash(&members(&canonical(&event.clone().into())).unwrap()));
        assert_eq!(hashed, hash);
        event.insert("hashes".to_owned(), object(&json!({"sha256": hashed})).into());
        assert_eq!(
            sign_event(&members(&canonical(&event.into())).unwrap(), &vector_key(), version(1)),
            signature
        );
    }
}

#[test]
fn signing_keeps_other_signatures_and_leaves_unsigned_out() {
    let mut signed = object(&json!({"a": 1, "unsigned": {"age": 1}}));
    for name in ["a.test", "b.test"] {
        sign_json(&mut signed, &key(name));
    }
    signed.insert("unsigned".to_owned(), true.into());
    for name in ["a.test", "b.test"] {
        assert!(verify_json(&signed, name, "ed25519:1", &key(name).verify_key(NOW)));
        assert!(!verify_json(&signed, name, "ed25519:2", &key(name).verify_key(NOW)));
    }
    assert!(!verify_json(&signed, "a.test", "ed25519:1", &key("b.test").verify_key(NOW)));
    signed.insert("a".to_owned(), true.into());
    assert!(!verify_json(&signed, "a.test", "ed25519:1", &key("a.test").verify_key(NOW)));
    for odd in [json!({"signatures": 1}), json!({"signatures": {"a.test": []}})] {
        let mut odd = object(&odd);
        sign_json(&mut odd, &key("a.test"));
        assert!(verify_json(&odd, "a.test", "ed25519:1", &key("a.test").verify_key(NOW)));
    }
}

fn signatures(rules: &crate::Rules, signatures: Value) -> Result<Verified, SignatureError> {
    let raw = changed(rules, |event| event["signatures"] = signatures);
    verify(&Pdu::parse(&raw, rules).unwrap(), &keys(&["a.test", "b.test"]), rules)
}

#[test]
fn b2_20_signature_of_the_sender_is_needed() {
    for rules in all() {
        let good = to_json(&message(rules))["signatures"]["a.test"]["ed25519:1"].as_str().unwrap().to_owned();
        let a = || server("a.test");
        let check = |value| signatures(rules, value);
        assert_eq!(check(json!({})), Err(SignatureError::NotSigned(a())));
        assert_eq!(check(json!({"a.test": {}})), Err(SignatureError::NotSigned(a())));
        assert_eq!(check(json!({"b.test": {"ed25519:1": good}})), Err(SignatureError::NotSigned(a())));
        assert_eq!(check(json!({"A.test": {"ed25519:1": good}})), Err(SignatureError::NotSigned(a())));
        assert_eq!(check(json!({"a.test": {"rsa:1": good}})), Err(SignatureError::NotSigned(a())));
        assert_eq!(check(json!({"a.test": {"ed25519:9": good}})), Err(SignatureError::NoUsableKey(a())));
        for wrong in [
            "",
            "x",
            "====",
            &good[1..],
            &format!("{good}A"),
            &format!("{good}==="),
            &good.replace(&good[..1], "-"),
        ] {
            assert_eq!(
                check(json!({"a.test": {"ed25519:1": wrong}})),
                Err(SignatureError::Wrong(a())),
                "{wrong}"
            );
        }
        assert_eq!(
            check(json!({"a.test": {"ed25519:1": format!("{good}==")}})),
            Ok(Verified::All),
            "right padding is allowed"
        );
        assert_eq!(verify(&message(rules), &VerifyKeys::new(), rules), Err(SignatureError::NoUsableKey(a())));
    }
}

/// Server-server API, "Validating hashes and signatures on received events": of the keys that are known, all must be
/// right; others, of this server or another, are passed over.
#[test]
fn several_signatures() {
    let rules = version(12);
    let good = to_json(&message(rules))["signatures"]["a.test"]["ed25519:1"].clone();
    let passed_over = json!({"a.test": {"ed25519:1": good, "ed25519:policy_server": "x", "other:1": "y"}, "b.test": {"ed25519:1": "z"}});
    assert_eq!(signatures(rules, passed_over), Ok(Verified::All));
    let raw = changed(rules, |event| event["signatures"]["a.test"]["ed25519:2"] = json!("AAAA"));
    let event = Pdu::parse(&raw, rules).unwrap();
    let current = key("a.test").verify_key(UnixMillis(NOW.0 + DAY));
    let second = |end| VerifyKey::expired(&key("b.test").public(), end).unwrap();
    let with = |end| {
        verify(
            &event,
            &verify_keys("a.test", [("ed25519:1", current.clone()), ("ed25519:2", second(end))]),
            rules,
        )
    };
    assert_eq!(with(NOW), Ok(Verified::All), "a key that no longer counted is passed over");
    assert_eq!(with(UnixMillis(NOW.0 + 1)), Err(SignatureError::Wrong(server("a.test"))));
}

#[test]
fn b2_22_altered_content_leaves_the_redacted_form() {
    for rules in all() {
        let altered = parse_json(
            &{
                let mut event = to_json(&message(rules));
                event["content"]["body"] = json!("altered");
                event
            },
            rules,
        );
        let known = keys(&["a.test"]);
        assert_eq!(altered.event_id(), message(rules).event_id());
        assert_eq!(verify(&altered, &known, rules), Ok(Verified::HashMismatch));
        let redacted = altered.redacted(rules);
        assert!(!redacted.canonical().contains("altered"));
        assert_eq!(redacted.canonical(), message(rules).redacted(rules).canonical());
        assert_eq!(verify(&redacted, &known, rules), Ok(Verified::HashMismatch), "signed, but not whole");
        for (name, value) in [
            ("type", json!("m.room.name")),
            ("sender", json!("@bob:a.test")),
            ("depth", json!(13)),
            ("state_key", json!("")),
        ] {
            let raw = changed(rules, |event| event[name] = value);
            let error = verify(&Pdu::parse(&raw, rules).unwrap(), &known, rules);
            assert_eq!(error, Err(SignatureError::Wrong(server("a.test"))), "{name}");
        }
        let raw = changed(rules, |event| event["hashes"]["sha256"] = json!("!"));
        assert!(verify(&Pdu::parse(&raw, rules).unwrap(), &known, rules).is_err(), "the hash is signed");
    }
}

/// The group's order, little-endian: S + L is the same scalar written a second way.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

#[test]
fn b2_23_strict_keys_and_signatures() {
    let good = key("a.test");
    let until = UnixMillis(NOW.0 + DAY);
    for length in [0, 31, 33, 64] {
        assert_eq!(VerifyKey::current(&vec![1; length], until, NOW), Err(KeyError::Malformed));
    }
    let mut identity = [0; 32];
    identity[0] = 1;
    for weak in [identity, [0; 32]] {
        assert_eq!(VerifyKey::current(&weak, until, NOW), Err(KeyError::Weak), "small order");
        assert_eq!(VerifyKey::expired(&weak, NOW), Err(KeyError::Weak));
    }
    let not_a_point = [2; 32];
    assert_eq!(VerifyKey::current(&not_a_point, until, NOW), Err(KeyError::Malformed));

    let signature = good.sign(b"message");
    let verify_key = good.verify_key(until);
    assert!(verify_key.verifies(b"message", &signature));
    assert!(!verify_key.verifies(b"massage", &signature));
    let mut bytes = STANDARD_NO_PAD.decode(&signature).unwrap();
    let mut carry = 0;
    for (byte, order) in bytes[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = (sum & 0xff) as u8;
        carry = sum >> 8;
    }
    assert_eq!(carry, 0);
    assert!(!verify_key.verifies(b"message", &unpadded_base64::encode(&bytes)), "non-canonical S");
    let mut small_r = identity.to_vec();
    small_r.extend([0; 32]);
    assert!(!verify_key.verifies(b"message", &unpadded_base64::encode(&small_r)));

    let other = verify_keys("a.test", [("ed25519:1", key("b.test").verify_key(until))]);
    for rules in all() {
        assert_eq!(
            verify(&message(rules), &other, rules),
            Err(SignatureError::Wrong(server("a.test"))),
            "same id, other key"
        );
    }
}

#[test]
fn b2_24_key_validity() {
    let public = key("a.test").public();
    for rules in all() {
        let enforced = number(rules) >= 5;
        let with = |key| verify(&message(rules), &verify_keys("a.test", [("ed25519:1", key)]), rules).is_ok();
        let current =
            |end: u64, now: u64| with(VerifyKey::current(&public, UnixMillis(end), UnixMillis(now)).unwrap());
        let expired = |end: u64| with(VerifyKey::expired(&public, UnixMillis(end)).unwrap());
        assert!(current(NOW.0, NOW.0));
        assert_eq!(
            current(NOW.0 - 1, NOW.0),
            !enforced,
            "valid until before the event, version {}",
            number(rules)
        );
        assert_eq!(current(u64::MAX, NOW.0 - 7 * DAY - 1), !enforced, "the horizon of 7 days");
        assert!(current(u64::MAX, NOW.0 - 7 * DAY));
        assert!(expired(NOW.0 + 1));
        assert!(!expired(NOW.0), "given up before the event");
    }
    let key = VerifyKey::current(&public, UnixMillis(u64::MAX), NOW).unwrap();
    assert_eq!(key.validity(), Validity::Until(UnixMillis(NOW.0 + 7 * DAY)));
}

#[test]
fn b2_25_a_key_whose_secret_is_public() {
    let published = STANDARD_NO_PAD.decode("l/O9hxMVKB6Lg+3Hqf0FQQZhVESQcMzbPN1Cz2nM3og").unwrap();
    assert_eq!(VerifyKey::current(&published, NOW, NOW), Err(KeyError::Published));
    assert_eq!(VerifyKey::expired(&published, NOW), Err(KeyError::Published));
}

#[test]
fn the_secret_half_is_not_printed() {
    assert_eq!(format!("{:?}", key("a.test")), "SigningKey(a.test ed25519:1)");
}

fn required(pdu: &Pdu, rules: &crate::Rules) -> Result<Vec<String>, SignatureError> {
    required_signers(pdu, rules)
        .map(|servers: BTreeSet<_>| servers.into_iter().map(|server| server.to_string()).collect())
}

#[test]
fn who_must_sign_a_message() {
    for rules in all() {
        let mut event =
            builder(rules, "m.room.message", json!({"join_authorised_via_users_server": "@c:c.test"}));
        event.event_id = event.event_id.map(|_| EventId::parse("$x:b.test").unwrap());
        let pdu = event.build(rules, &key("a.test")).unwrap();
        let expected: &[&str] = if number(rules) < 3 { &["a.test", "b.test"] } else { &["a.test"] };
        assert_eq!(required(&pdu, rules).unwrap(), expected);
        if number(rules) < 3 {
            let known = keys(&["a.test", "b.test"]);
            assert_eq!(verify(&pdu, &known, rules), Err(SignatureError::NotSigned(server("b.test"))));
        }
    }
}

#[test]
fn b3_58_who_must_sign_a_restricted_join() {
    for rules in all() {
        let join = |via: Value| {
            let content = json!({"membership": "join", "join_authorised_via_users_server": via});
            state(rules, "m.room.member", "@alice:a.test", content).build(rules, &key("a.test")).unwrap()
        };
        let restricted = number(rules) >= 8;
        let pdu = join(json!("@bob:b.test"));
        let expected: &[&str] = if restricted { &["a.test", "b.test"] } else { &["a.test"] };
        assert_eq!(required(&pdu, rules).unwrap(), expected);
        let known = keys(&["a.test", "b.test"]);
        assert_eq!(verify(&pdu, &known, rules).is_ok(), !restricted);
        for odd in [json!(1), json!("bob"), json!(null)] {
            let expected = if restricted {
                Err(SignatureError::NoAuthorisingServer)
            } else {
                Ok(vec!["a.test".to_owned()])
            };
            assert_eq!(required(&join(odd), rules), expected);
        }
        if restricted {
            let both = countersign(&pdu, &key("b.test"), rules).unwrap();
            assert_eq!(verify(&both, &known, rules), Ok(Verified::All));
            assert_eq!(both.event_id(), pdu.event_id());
            let wanted: Vec<(String, Vec<String>)> = keys_wanted(&both, rules)
                .unwrap()
                .into_iter()
                .map(|(server, ids)| (server.to_string(), ids.into_iter().map(String::from).collect()))
                .collect();
            let first = vec!["ed25519:1".to_owned()];
            assert_eq!(wanted, [("a.test".to_owned(), first.clone()), ("b.test".to_owned(), first)]);
        }
    }
}

/// They would be kept until keys are asked for, and nobody has such keys.
#[test]
fn key_ids_that_are_too_long_are_not_wanted() {
    let rules = version(12);
    let pdu = builder(rules, "m.room.message", json!({})).build(rules, &key("a.test")).unwrap();
    let longest = format!("ed25519:{}", "x".repeat(MAX_ID_BYTES - "ed25519:".len()));
    let signatures = format!(r#""a.test":{{"{longest}":"c2ln","{longest}x":"c2ln","#);
    let text = pdu.canonical().replace(r#""a.test":{"#, &signatures);
    let pdu = Pdu::parse(text.as_bytes(), rules).unwrap();
    let wanted: Vec<String> =
        keys_wanted(&pdu, rules).unwrap().into_values().flatten().map(String::from).collect();
    assert_eq!(wanted, ["ed25519:1".to_owned(), longest]);
}

/// A second signature counts towards the size.
#[test]
fn b1_08_size_through_a_signature() {
    let rules = version(12);
    let size = message(rules).canonical().len() - "hello".len();
    let content = json!({"msgtype": "m.text", "body": "x".repeat(65_536 - size)});
    let pdu = builder(rules, "m.room.message", content).build(rules, &key("a.test")).unwrap();
    let grown = 65_536 + r#","b.test":{"ed25519:1":""}"#.len() + 86;
    assert_eq!(countersign(&pdu, &key("b.test"), rules).err(), Some(FormatError::TooLarge(grown)));
}

#[test]
fn who_must_sign_an_invite_by_third_party_identifier() {
    for rules in all() {
        let member = |membership: &str, invite: Value| {
            let content = json!({"membership": membership, "third_party_invite": invite});
            let mut event = state(rules, "m.room.member", "@bob:b.test", content);
            event.event_id = event.event_id.map(|_| EventId::parse("$x:b.test").unwrap());
            event.build(rules, &key("b.test")).unwrap()
        };
        let by_id: &[&str] = if number(rules) < 3 { &["b.test"] } else { &[] };
        let both: &[&str] = if number(rules) < 3 { &["a.test", "b.test"] } else { &["a.test"] };
        assert_eq!(required(&member("invite", json!({"signed": {}})), rules).unwrap(), by_id);
        assert_eq!(required(&member("invite", json!(true)), rules).unwrap(), both);
        assert_eq!(required(&member("join", json!({"signed": {}})), rules).unwrap(), both);
    }
}
