//! Our own events: what is built verifies, and keeps the limits.

use ruma::EventId;
use serde_json::json;

use crate::fixtures::{all, builder, event_id, key, keys, message, number, to_json};
use crate::{
    builder::BuildError,
    pdu::FormatError,
    sign::{Verified, verify},
};

#[test]
fn what_is_built_verifies() {
    for rules in all() {
        assert_eq!(
            verify(&message(rules), &keys(&["a.test"]), rules),
            Ok(Verified::All),
            "{:?}",
            rules.version
        );
    }
}

#[test]
fn b1_08_own_event_too_large() {
    for rules in all() {
        let base = message(rules).canonical().len() - "hello".len();
        let build = |size: usize| {
            let content = json!({"msgtype": "m.text", "body": "x".repeat(size - base)});
            builder(rules, "m.room.message", content).build(rules, &key("a.test"))
        };
        assert!(build(65_536).is_ok());
        assert_eq!(build(65_537).err(), Some(BuildError::TooLarge(65_537)));
    }
}

#[test]
fn b1_02_depth_is_clamped() {
    for rules in all() {
        let mut event = builder(rules, "m.room.message", json!({}));
        event.depth = u64::MAX;
        assert_eq!(event.build(rules, &key("a.test")).unwrap().depth(), rules.max_depth);
    }
}

#[test]
fn b1_09_b1_10_limits_hold_for_our_own_events() {
    for rules in all() {
        let build = |change: &dyn Fn(&mut crate::builder::EventBuilder)| {
            let mut event = builder(rules, "m.room.message", json!({}));
            change(&mut event);
            event.build(rules, &key("a.test")).err()
        };
        let ids = |count: usize| (0..count).map(|n| event_id(rules, &format!("e{n}"))).collect::<Vec<_>>();
        let format = |error: FormatError| Some(BuildError::Format(error));
        assert_eq!(build(&|event| event.kind = "x".repeat(256)), format(FormatError::Invalid("type")));
        assert_eq!(
            build(&|event| event.state_key = Some("ä".repeat(128))),
            format(FormatError::Invalid("state_key"))
        );
        assert_eq!(build(&|event| event.prev_events = ids(21)), format(FormatError::TooMany("prev_events")));
        assert_eq!(build(&|event| event.auth_events = ids(11)), format(FormatError::TooMany("auth_events")));
        assert_eq!(build(&|event| event.room_id = None), format(FormatError::Missing("room_id")));
        assert_eq!(
            build(&|event| event.origin_server_ts = u64::MAX),
            format(FormatError::Invalid("origin_server_ts"))
        );
    }
}

#[test]
fn the_version_decides_where_the_id_comes_from() {
    for rules in all() {
        let mut event = builder(rules, "m.room.message", json!({}));
        event.event_id = match event.event_id {
            Some(_) => None,
            None => Some(EventId::parse("$x:a.test").unwrap()),
        };
        assert_eq!(event.build(rules, &key("a.test")).err(), Some(BuildError::EventId));
    }
}

#[test]
fn references_carry_hashes_in_versions_1_and_2() {
    for rules in all() {
        let mut event = builder(rules, "m.room.message", json!({}));
        event.reference_hashes.insert(event_id(rules, "parent"), "aGFzaA".to_owned());
        let built = to_json(&event.build(rules, &key("a.test")).unwrap());
        if number(rules) < 3 {
            assert_eq!(built["prev_events"], json!([["$parent:a.test", {"sha256": "aGFzaA"}]]));
            assert_eq!(built["auth_events"][0], json!(["$create:a.test", {}]));
            assert_eq!(built["event_id"], "$self:a.test");
        } else {
            assert_eq!(built["prev_events"], json!(["$parent"]));
            assert!(built.get("event_id").is_none());
        }
    }
}
