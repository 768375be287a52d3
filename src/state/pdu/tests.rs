//! The format of events in each room version, known ids, sizes.

mod json;

use serde_json::{Value, json};

use crate::fixtures::{
    all, builder, changed, event_id, key, message, number, parse_json, state, to_json, version,
};
use crate::{
    json::{Object, canonical},
    pdu::{FormatError, Pdu, content_hash},
    unpadded_base64,
};

/// Events of real servers, whose ids other servers computed.
#[test]
fn known_ids_and_hashes() {
    let create = r#"{"auth_events": [], "prev_events": [], "type": "m.room.create", "room_id": "!uXDCzlYgCTHtiWCkEx:jki.re", "sender": "@erikj:jki.re", "content": {"room_version": "5", "predecessor": {"room_id": "!gdRMqOrTFdOCYHNwOo:half-shot.uk", "event_id": "$LP7ROBc4b+cMc1UE9haIz8q5AK2AIW4eJ90FfKLvyZI"}, "creator": "@erikj:jki.re"}, "depth": 1, "prev_state": [], "state_key": "", "origin": "jki.re", "origin_server_ts": 1560284621137, "hashes": {"sha256": "IX6zuNiJpJPNf70BLleL3HSCpjKeq9Uhu7uUpyDjBmc"}, "signatures": {"jki.re": {"ed25519:auto": "O4IyFfF2PPtGp5uaDm8t57dZbdh8vc8Q64LgCwvzYRVItAMI0uisfiAFaxkVT7MRpzh6N2QNN5NMRXZKmgPYDA"}}, "unsigned": {"age": 1321650}}"#;
    let v3 = Pdu::parse(create.as_bytes(), version(3)).unwrap();
    assert_eq!(v3.event_id().as_str(), "$RrGxF28UrHLmoASHndYb9Jb/1SFww2ptmtur9INS438");
    for number in 4..=10 {
        let pdu = Pdu::parse(create.as_bytes(), version(number)).unwrap();
        assert_eq!(pdu.event_id().as_str(), "$RrGxF28UrHLmoASHndYb9Jb_1SFww2ptmtur9INS438", "{number}");
        assert_eq!(
            unpadded_base64::encode(&content_hash(&pdu.members())),
            "IX6zuNiJpJPNf70BLleL3HSCpjKeq9Uhu7uUpyDjBmc"
        );
    }

    let name = r#"{"auth_events":[["$oXL79cT7fFxR7dPH:localhost",{"sha256":"abjkiDSg1RkuZrbj2jZoGMlQaaj1Ue3Jhi7I7NlKfXY"}],["$IVUsaSkm1LBAZYYh:localhost",{"sha256":"X7RUj46hM/8sUHNBIFkStbOauPvbDzjSdH4NibYWnko"}],["$VS2QT0EeArZYi8wf:localhost",{"sha256":"k9eM6utkCH8vhLW9/oRsH74jOBS/6RVK42iGDFbylno"}]],"content":{"name":"test3"},"depth":7,"event_id":"$yvN1b43rlmcOs5fY:localhost","hashes":{"sha256":"Oh1mwI1jEqZ3tgJ+V1Dmu5nOEGpCE4RFUqyJv2gQXKs"},"origin":"localhost","origin_server_ts":1510854416361,"prev_events":[["$FqI6TVvWpcbcnJ97:localhost",{"sha256":"upCsBqUhNUgT2/+zkzg8TbqdQpWWKQnZpGJc6KcbUC4"}]],"prev_state":[],"room_id":"!19Mp0U9hjajeIiw1:localhost","sender":"@test:localhost","signatures":{"localhost":{"ed25519:u9kP":"5IzSuRXkxvbTp0vZhhXYZeOe+619iG3AybJXr7zfNn/4vHz4TH7qSJVQXSaHHvcTcDodAKHnTG1WDulgO5okAQ"}},"state_key":"","type":"m.room.name"}"#;
    for number in [1, 2] {
        let pdu = Pdu::parse(name.as_bytes(), version(number)).unwrap();
        assert_eq!(pdu.event_id().as_str(), "$yvN1b43rlmcOs5fY:localhost");
        assert_eq!(pdu.prev_events()[0].as_str(), "$FqI6TVvWpcbcnJ97:localhost");
        assert_eq!(pdu.auth_events().len(), 3);
        assert_eq!(pdu.canonical(), name);
        assert_eq!(
            unpadded_base64::encode(&content_hash(&pdu.members())),
            "Oh1mwI1jEqZ3tgJ+V1Dmu5nOEGpCE4RFUqyJv2gQXKs"
        );
    }
}

#[test]
fn fields_are_read_and_the_stored_form_reads_back() {
    for rules in all() {
        let built =
            state(rules, "m.room.member", "@bob:b.test", json!({"membership": "invite", "n": [1, "ü\u{1}"]}))
                .build(rules, &key("a.test"))
                .unwrap();
        let stored = Pdu::from_stored(built.canonical(), None, rules).unwrap();
        let given = Pdu::from_stored(built.canonical(), Some(built.event_id_owned().clone()), rules).unwrap();
        for pdu in [&built, &stored, &given, &parse_json(&to_json(&built), rules)] {
            assert_eq!(pdu.canonical(), built.canonical());
            assert_eq!(pdu.event_id(), built.event_id());
            assert_eq!(pdu.sender().as_str(), "@alice:a.test");
            assert_eq!(pdu.type_name(), "m.room.member");
            assert_eq!(pdu.state_key(), Some("@bob:b.test"));
            assert_eq!(pdu.membership(), Some("invite"));
            assert_eq!(pdu.content_text(), "{\"membership\":\"invite\",\"n\":[1,\"ü\\u0001\"]}");
            assert_eq!(canonical(&pdu.content_object().into()), pdu.content_text());
            assert_eq!(pdu.prev_events(), [event_id(rules, "parent")]);
            assert_eq!(pdu.auth_events(), [event_id(rules, "create"), event_id(rules, "levels")]);
            assert_eq!((pdu.depth(), u64::from(pdu.origin_server_ts().get())), (12, 1_700_000_000_000));
        }
    }
}

fn invalid(name: &'static str) -> FormatError {
    FormatError::Invalid(name)
}

#[test]
fn b1_01_wrong_types() {
    let anything = || {
        [json!(null), json!(true), json!(1), json!("x"), json!([]), json!({}), json!([[1]]), json!({"a": 1})]
    };
    for rules in all() {
        for name in [
            "type",
            "sender",
            "state_key",
            "room_id",
            "content",
            "hashes",
            "signatures",
            "depth",
            "origin_server_ts",
            "prev_events",
            "auth_events",
        ] {
            let fits = |value: &Value| match name {
                "type" | "state_key" => value.is_string(),
                "content" => value.is_object(),
                "signatures" => *value == json!({}),
                "depth" | "origin_server_ts" => value.is_u64(),
                "prev_events" | "auth_events" => *value == json!([]),
                _ => false,
            };
            for value in anything() {
                let raw = changed(rules, |event| event[name] = value.clone());
                assert_eq!(
                    Pdu::parse(&raw, rules).is_ok(),
                    fits(&value),
                    "{:?} {name} {value}",
                    rules.version
                );
            }
            let raw = changed(rules, |event| drop(event.as_object_mut().unwrap().remove(name)));
            let expected = if name == "state_key" { None } else { Some(FormatError::Missing(name)) };
            assert_eq!(Pdu::parse(&raw, rules).err(), expected, "{name} missing");
        }
        for hashes in [json!({"sha256": 1}), json!({"sha512": "x"})] {
            assert!(Pdu::parse(&changed(rules, |event| event["hashes"] = hashes), rules).is_err());
        }
        for signatures in
            [json!({"a.test": 1}), json!({"a.test": {"ed25519:1": null}}), json!({"a.test": []})]
        {
            let raw = changed(rules, |event| event["signatures"] = signatures);
            assert_eq!(Pdu::parse(&raw, rules).err(), Some(invalid("signatures")));
        }
        let event_id = changed(rules, |event| event["event_id"] = json!("$other:b.test"));
        let expected = if number(rules) < 3 { "$other:b.test" } else { "" };
        assert_eq!(Pdu::parse(&event_id, rules).unwrap().event_id() == expected, number(rules) < 3);
        for event_id in [json!(1), json!("$nodomain"), json!("x:a.test"), json!(null)] {
            let raw = changed(rules, |event| event["event_id"] = event_id);
            assert_eq!(
                Pdu::parse(&raw, rules).is_ok(),
                number(rules) >= 3,
                "ids are computed since version 3"
            );
        }
    }
}

/// An event whose canonical form has exactly that many bytes.
fn of_size(rules: &crate::Rules, size: usize) -> Vec<u8> {
    let base = message(rules).canonical().len();
    changed(rules, |event| event["content"]["body"] = json!("x".repeat(size - base + "hello".len())))
}

#[test]
fn b1_08_size() {
    for rules in all() {
        assert_eq!(Pdu::parse(&of_size(rules, 65_536), rules).unwrap().canonical().len(), 65_536);
        assert_eq!(Pdu::parse(&of_size(rules, 65_537), rules).err(), Some(FormatError::TooLarge(65_537)));
        let mut event: Value = serde_json::from_slice(&of_size(rules, 65_536)).unwrap();
        event["unsigned"] = json!({"x": "x".repeat(100_000)});
        let pdu = parse_json(&event, rules);
        assert_eq!(pdu.canonical().len(), 65_536, "`unsigned` neither counts nor stays");
        event["signatures"]["b.test"] = json!({"ed25519:1": "x"});
        assert!(matches!(Pdu::parse(event.to_string().as_bytes(), rules), Err(FormatError::TooLarge(_))));
    }
}

#[test]
fn b1_09_ids_are_limited_in_bytes() {
    for rules in all() {
        for (name, prefix, suffix) in [
            ("type", "", ""),
            ("state_key", "", ""),
            ("sender", "@", ":a.test"),
            ("room_id", "!", ":a.test"),
            ("event_id", "$", ":a.test"),
        ] {
            if name == "event_id" && number(rules) > 2 {
                continue;
            }
            let id = |letter: &str, bytes: usize| {
                let filling = letter.repeat((bytes - prefix.len() - suffix.len()) / letter.len());
                json!(format!("{prefix}{filling}{suffix}"))
            };
            let with = |value: Value| Pdu::parse(&changed(rules, |event| event[name] = value), rules);
            assert!(with(id("x", 255)).is_ok(), "{name}");
            assert_eq!(with(id("x", 256)).err(), Some(invalid(name)));
            assert_eq!(with(id("😀", 4 * 255)).err(), Some(invalid(name)), "characters do not count");
        }
        let long = |bytes: usize| {
            let id = format!("${}", "x".repeat(bytes - 1));
            if number(rules) < 3 {
                json!([[format!("{}:a.test", &id[..bytes - 7]), {}]])
            } else {
                json!([id])
            }
        };
        for name in ["prev_events", "auth_events"] {
            let with = |value: Value| Pdu::parse(&changed(rules, |event| event[name] = value), rules);
            assert!(with(long(255)).is_ok());
            assert_eq!(with(long(256)).err(), Some(invalid(name)));
        }
    }
}

#[test]
fn b1_10_counts_of_previous_and_auth_events() {
    for rules in all() {
        let list = |count: usize| {
            let ids = (0..count).map(|n| event_id(rules, &format!("e{n}")));
            if number(rules) < 3 {
                ids.map(|id| json!([id, {}])).collect()
            } else {
                ids.map(|id| json!(id)).collect::<Value>()
            }
        };
        for (name, max) in [("prev_events", 20), ("auth_events", 10)] {
            let with = |value: Value| Pdu::parse(&changed(rules, |event| event[name] = value), rules);
            assert!(with(list(max)).is_ok());
            assert_eq!(with(list(max + 1)).err(), Some(FormatError::TooMany(name)));
        }
        let twice = json!([list(2)[0], list(2)[1], list(2)[0]]);
        let pdu = Pdu::parse(&changed(rules, |event| event["prev_events"] = twice), rules).unwrap();
        assert_eq!(pdu.prev_events(), [event_id(rules, "e0"), event_id(rules, "e1")], "counted once");
        for name in ["prev_events", "auth_events"] {
            let own = if number(rules) < 3 { json!([["$self:a.test", {}]]) } else { continue };
            let raw = changed(rules, |event| event[name] = own);
            assert_eq!(Pdu::parse(&raw, rules).err(), Some(FormatError::SelfReference));
        }
    }
}

#[test]
fn references_have_the_form_of_their_version() {
    for rules in all() {
        let pairs = json!([["$x:a.test", {"sha256": "abc"}]]);
        let plain = json!(["$x:a.test"]);
        for (value, fits) in [(pairs, number(rules) < 3), (plain, number(rules) >= 3)] {
            let raw = changed(rules, |event| event["prev_events"] = value.clone());
            assert_eq!(Pdu::parse(&raw, rules).is_ok(), fits, "{:?} {value}", rules.version);
        }
        for odd in [
            json!([["$x:a.test"]]),
            json!([["$x:a.test", {}, 1]]),
            json!([["$x:a.test", "h"]]),
            json!([1]),
            json!(["x"]),
        ] {
            assert!(Pdu::parse(&changed(rules, |event| event["prev_events"] = odd), rules).is_err());
        }
    }
}

/// What user ids, room ids and server names an event from elsewhere may have (appendices, "Historical User IDs").
#[test]
fn b1_19_id_grammar() {
    for rules in all() {
        let sender = |id: &str| Pdu::parse(&changed(rules, |event| event["sender"] = json!(id)), rules);
        for good in [
            "@:a.test",
            "@ALICE:a.test",
            "@ä😀 \n:a.test",
            "@a/b=c:a.test:8448",
            "@a:[::1]",
            "@a:1.2.3.4:1",
            "@a:A.test",
        ] {
            assert_eq!(sender(good).unwrap().sender().as_str(), good);
        }
        for bad in [
            "",
            "@",
            "alice:a.test",
            "@alice",
            "@alice:",
            "@alice:a b",
            "@alice:a.test:x",
            "@alice:a.test:99999",
            "@alice:[::1",
            "@alice:a_b",
            "@al:ice:a.test",
            "@a\0b:a.test",
            "#a:a.test",
            "@alice:ä.test",
        ] {
            assert_eq!(sender(bad).err(), Some(invalid("sender")), "{bad:?}");
        }
        let room = |id: &str| Pdu::parse(&changed(rules, |event| event["room_id"] = json!(id)), rules);
        for (id, fits) in [
            ("!r:a.test", true),
            ("!r\u{1}:a.test", true),
            ("!nodomain", number(rules) == 12),
            ("#r:a.test", false),
            ("!r\0:a.test", false),
            ("", false),
        ] {
            assert_eq!(room(id).is_ok(), fits, "{id:?}");
        }
    }
}

#[test]
fn b3_35_create_event_of_version_12() {
    let rules = version(12);
    let mut create = state(rules, "m.room.create", "", json!({"room_version": "12"}));
    (create.room_id, create.prev_events, create.auth_events) = (None, vec![], vec![]);
    let pdu = create.build(rules, &key("a.test")).unwrap();
    assert_eq!(pdu.room_id().as_str()[1..], pdu.event_id().as_str()[1..]);
    assert!(!pdu.canonical().contains("room_id"));

    let mut with_room = to_json(&pdu);
    with_room["room_id"] = json!("!other");
    assert_eq!(Pdu::parse(with_room.to_string().as_bytes(), rules).err(), Some(FormatError::RoomIdOnCreate));
    for older in all().filter(|rules| number(rules) < 12) {
        let mut event = to_json(&message(older));
        event["type"] = json!("m.room.create");
        assert!(Pdu::parse(event.to_string().as_bytes(), older).is_ok());
        event.as_object_mut().unwrap().remove("room_id");
        assert_eq!(
            Pdu::parse(event.to_string().as_bytes(), older).err(),
            Some(FormatError::Missing("room_id"))
        );
    }
}

/// A redaction's target is where its version writes it; an odd one makes no target, not a bad event.
#[test]
fn target_of_a_redaction() {
    for rules in all() {
        let target = event_id(rules, "target");
        let in_content = number(rules) >= 11;
        let mut redaction = builder(rules, "m.room.redaction", json!({"reason": "spam"}));
        redaction.redacts = Some(target.clone());
        let pdu = redaction.build(rules, &key("a.test")).unwrap();
        assert_eq!(pdu.redacts(), Some(&*target));
        assert_eq!(to_json(&pdu)["content"].get("redacts").is_some(), in_content);
        assert_eq!(to_json(&pdu).get("redacts").is_some(), !in_content);
        for odd in [json!(1), json!("x"), json!(null), json!("$".repeat(300))] {
            let mut event = to_json(&pdu);
            if in_content {
                event["content"]["redacts"] = odd
            } else {
                event["redacts"] = odd
            }
            assert_eq!(parse_json(&event, rules).redacts(), None);
        }
        let mut message = to_json(&message(rules));
        (message["redacts"], message["content"]["redacts"]) = (json!(target), json!(target));
        assert_eq!(parse_json(&message, rules).redacts(), None, "only a redaction redacts");
    }
}

#[test]
fn b1_01_damaged_stored_text_is_an_error() {
    let rules = version(11);
    let text = message(rules).canonical().to_owned();
    for end in 0..text.len() {
        if text.is_char_boundary(end) {
            assert!(Pdu::from_stored(&text[..end], None, rules).is_err());
        }
    }
    let damaged = text.replace("\"hello\"", "hello");
    let pdu = Pdu::from_stored(damaged, None, rules).unwrap();
    assert_eq!(pdu.content_object(), Object::new(), "content that is no JSON has no properties");
}

#[test]
fn reference_hash_is_the_id() {
    for rules in all() {
        let pdu = message(rules);
        let hash = pdu.reference_hash_text(rules);
        let id = pdu.event_id().as_str().trim_start_matches('$').replace('-', "+").replace('_', "/");
        assert_eq!(id == hash, number(rules) >= 3);
    }
}
