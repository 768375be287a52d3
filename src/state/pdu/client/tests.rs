//! The form of events that clients get.

use serde_json::{Value, json};

use crate::fixtures::{all, builder, event_id, key, message, number, state};
use crate::pdu::{ClientFormat, Pdu};

fn client(pdu: &Pdu, rules: &crate::Rules, format: ClientFormat) -> Value {
    serde_json::from_str(&format!("{},\"unsigned\":{{\"age\":1}}}}", pdu.client_json(rules, format))).unwrap()
}

#[test]
fn a_message() {
    for rules in all() {
        let pdu = message(rules);
        let mut expected = json!({
            "content": {"body": "hello", "msgtype": "m.text"},
            "event_id": pdu.event_id(),
            "origin_server_ts": 1_700_000_000_000_u64,
            "sender": "@alice:a.test",
            "type": "m.room.message",
            "unsigned": {"age": 1},
        });
        assert_eq!(client(&pdu, rules, ClientFormat::WithoutRoomId), expected);
        expected["room_id"] = json!(pdu.room_id());
        assert_eq!(client(&pdu, rules, ClientFormat::Full), expected);
    }
}

#[test]
fn a_state_event_with_escapes() {
    for rules in all() {
        let pdu = state(rules, "a\"b", "\n", json!({"\u{1}": "\\"})).build(rules, &key("a.test")).unwrap();
        let shown = client(&pdu, rules, ClientFormat::Full);
        assert_eq!(
            (&shown["type"], &shown["state_key"], &shown["content"]),
            (&json!("a\"b"), &json!("\n"), &json!({"\u{1}": "\\"}))
        );
    }
}

#[test]
fn the_create_event_of_version_12_shows_its_room() {
    let rules = crate::fixtures::version(12);
    let mut create = state(rules, "m.room.create", "", json!({}));
    create.room_id = None;
    let pdu = create.build(rules, &key("a.test")).unwrap();
    assert_eq!(client(&pdu, rules, ClientFormat::Full)["room_id"], json!(pdu.room_id()));
}

/// Room version 11, "Moving the `redacts` property".
#[test]
fn a_redaction_shows_its_target_in_both_places() {
    for rules in all() {
        let target = event_id(rules, "target");
        for content in [json!({}), json!({"reason": "spam"}), json!({"redacts": "$other:a.test"})] {
            let mut redaction = builder(rules, "m.room.redaction", content.clone());
            redaction.redacts = Some(target.clone());
            let pdu = redaction.build(rules, &key("a.test")).unwrap();
            let shown = client(&pdu, rules, ClientFormat::Full);
            assert_eq!(shown["redacts"], json!(target));
            assert_eq!(shown["content"]["redacts"], json!(target));
            assert_eq!(shown["content"].get("reason"), content.get("reason"));
            let redacted = client(&pdu.redacted(rules), rules, ClientFormat::Full);
            assert_eq!(redacted.get("redacts").is_some(), number(rules) >= 11);
        }
    }
}
