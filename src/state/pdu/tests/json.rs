//! What the JSON of an event may hold: numbers, strings, keys.

use serde_json::json;

use crate::fixtures::{all, changed, key, message, number, state, version};
use crate::json::JsonError;
use crate::pdu::{FormatError, Pdu};

/// A text with one number changed, which `serde_json` would not write.
fn with_number(rules: &crate::Rules, name: &str, token: &str) -> Result<Pdu, FormatError> {
    let raw = String::from_utf8(changed(rules, |event| event[name] = json!("NUMBER"))).unwrap();
    Pdu::parse(raw.replace("\"NUMBER\"", token).as_bytes(), rules)
}

#[test]
fn b1_01_b1_02_depth_and_time() {
    for rules in all() {
        let strict = number(rules) >= 6;
        for token in ["0", "1", "9007199254740990", "9007199254740991"] {
            assert_eq!(with_number(rules, "depth", token).unwrap().depth().to_string(), token);
            assert!(with_number(rules, "origin_server_ts", token).is_ok());
        }
        for token in ["9007199254740992", "9007199254741000", "9223372036854775807"] {
            let depth = with_number(rules, "depth", token);
            assert_eq!(depth.map(|pdu| pdu.depth().to_string()).ok(), (!strict).then(|| token.to_owned()));
            assert!(with_number(rules, "origin_server_ts", token).is_err());
        }
        for token in
            ["-1", "9223372036854775808", "1e400", "1.0", "1e3", "\"1\"", "null", "-9007199254740991"]
        {
            assert!(with_number(rules, "depth", token).is_err(), "{token}");
            assert!(with_number(rules, "origin_server_ts", token).is_err(), "{token}");
        }
    }
}

#[test]
fn b1_03_numbers_in_content_by_version() {
    for rules in all() {
        let parsed = with_number(rules, "content", r#"{"n":[9007199254740993,1.50,-0]}"#);
        if number(rules) >= 6 {
            assert!(matches!(parsed, Err(FormatError::Json(JsonError::Number(_)))));
        } else {
            assert_eq!(parsed.unwrap().content_text(), r#"{"n":[9007199254740993,1.5,0]}"#);
        }
    }
}

#[test]
fn b1_05_the_value_that_is_read_is_the_only_one() {
    let rules = version(11);
    let text = message(rules).canonical().to_owned();
    for (from, to) in [
        (r#""type":"#, r#""type":"m.room.create","type":"#),
        (r#""body":"#, r#""body":"other","body":"#),
        (r#""ed25519:1":"#, r#""ed25519:1":"x","ed25519:1":"#),
        (r#""sha256":"#, r#""sha256":"x","sha256":"#),
    ] {
        let twice = text.replacen(from, to, 1);
        assert_ne!(twice, text);
        let error = Pdu::parse(twice.as_bytes(), rules).unwrap_err();
        assert!(matches!(error, FormatError::Json(JsonError::DuplicateKey(_))), "{to}: {error}");
    }
}

#[test]
fn b1_06_nul_and_control_characters_are_kept_whole() {
    let rules = version(12);
    let pdu = state(rules, "a\0b", "c\0\n\"\\d", json!({"k\0": "v\0"})).build(rules, &key("a.test")).unwrap();
    let back = Pdu::from_stored(pdu.canonical(), None, rules).unwrap();
    assert_eq!((back.type_name(), back.state_key()), ("a\0b", Some("c\0\n\"\\d")));
    assert_eq!(back.event_id(), pdu.event_id());
    assert!(!pdu.canonical().contains('\0'));
}
