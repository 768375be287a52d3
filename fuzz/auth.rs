//! The authorisation rules, on any content of the state and of the event.

use std::collections::BTreeMap;

use plop_state::auth::{Checker, HistoryVisibility, JoinRule, Membership, check, types_of};
use plop_state::version::{ALL, Rules};
use plop_state::{Pdu, StateKey};

use crate::parts::Parts;

const SENDER: &str = "@alice:a.test";
const TARGET: &str = "@bob:b.test";

/// Type and state key of the event that is judged.
const EVENTS: [(&str, Option<&str>); 9] = [
    ("m.room.member", Some(SENDER)),
    ("m.room.member", Some(TARGET)),
    ("m.room.power_levels", Some("")),
    ("m.room.join_rules", Some("")),
    ("m.room.third_party_invite", Some("token")),
    ("m.room.aliases", Some("a.test")),
    ("m.room.create", Some("")),
    ("m.room.redaction", None),
    ("m.room.message", None),
];

/// Takes a byte for the room version, one for the event, and a line of content each: of the event, of the create event, the power levels,
/// the join rules, the sender's and the target's membership, and an invite by a third party.
pub fn target(data: &[u8]) {
    let mut parts = Parts::new(data);
    let versions: Vec<&Rules> = ALL.iter().collect();
    let (Some(rules), Some((kind, state_key))) = (parts.choose(&versions), parts.choose(&EVENTS)) else {
        return;
    };
    let Some(event) = event(rules, kind, state_key, parts.line()) else { return };
    let state: BTreeMap<StateKey, Pdu> = [
        ("m.room.create", ""),
        ("m.room.power_levels", ""),
        ("m.room.join_rules", ""),
        ("m.room.member", SENDER),
        ("m.room.member", TARGET),
        ("m.room.third_party_invite", "token"),
    ]
    .into_iter()
    .filter_map(|(kind, key)| {
        Some((StateKey::new(kind, key), self::event(rules, kind, Some(key), parts.line())?))
    })
    .collect();

    for event in state.values().chain([&event]) {
        let _ = (Membership::of(event, rules), JoinRule::of(event, rules), HistoryVisibility::of(event));
        assert!(types_of(event, rules).len() < 20);
    }
    let verdict = check(&event, rules, |key| state.get(key).cloned());
    let mut checker = Checker::new(rules);
    for _ in 0..2 {
        assert_eq!(
            checker.check(&event, |key| state.get(key).cloned()),
            verdict,
            "a verdict depends on nothing else"
        );
    }
}

/// The event in the first form that its version takes.
fn event(rules: &Rules, kind: &str, state_key: Option<&str>, content: &[u8]) -> Option<Pdu> {
    let content = str::from_utf8(content).ok()?;
    let state_key = state_key.map(|key| format!(r#""state_key":"{key}","#)).unwrap_or_default();
    let hash = "A".repeat(43);
    let of_version_12 = format!(r#""room_id":"!{hash}","#);
    let rooms = ["", r#""room_id":"!room:a.test","#, &of_version_12];
    let ids = ["", r#""event_id":"$event:a.test","#];
    let mut forms = rooms.into_iter().flat_map(|room| ids.map(|id| (room, id)));
    forms.find_map(|(room, id)| {
        let text = format!(
            r#"{{{room}{id}{state_key}"type":"{kind}","sender":"{SENDER}","depth":1,"origin_server_ts":1,"signatures":{{}},
            "hashes":{{"sha256":"{hash}"}},"auth_events":[],"prev_events":[],"content":{content}}}"#
        );
        Pdu::parse(text.as_bytes(), rules).ok()
    })
}
