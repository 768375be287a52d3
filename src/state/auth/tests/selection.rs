//! Which auth events an event selects.

use std::slice::from_ref;

use serde_json::{Value as Json, json};

use super::room::*;
use crate::auth::{types_for, types_of};
use crate::json::{NumberRule, parse_object};
use crate::state_key::StateKey;

fn create() -> StateKey {
    StateKey::create()
}
fn levels() -> StateKey {
    StateKey::power_levels()
}
fn join_rules() -> StateKey {
    StateKey::join_rules()
}
fn third_party() -> StateKey {
    StateKey::new("m.room.third_party_invite", "t")
}

/// One row: the event, the versions, and what it selects beyond the power levels, the create event (before
/// version 12) and the sender's membership.
fn assert_selects(name: &str, versions: Versions, event: &Draft, more: &[StateKey]) {
    for version in versions {
        let rules = rules_of(version);
        let mut expected = vec![levels(), StateKey::member(&event.sender)];
        if version < 12 {
            expected.push(create());
        }
        expected.extend_from_slice(more);
        expected.sort();
        let content = parse_object(event.content.as_bytes(), NumberRule::Lenient).unwrap();
        let sender = event.sender.as_str().try_into().unwrap();
        let mut selected = types_for(&event.kind, sender, event.state_key.as_deref(), &content, rules);
        selected.sort();
        assert_eq!(selected, expected, "{name} (version {version})");
        let event = room().in_version(version).event_citing(event, &[]);
        selected = types_of(&event, rules);
        selected.sort();
        assert_eq!(selected, expected, "{name} (version {version})");
    }
}

fn member(sender: &str, target: &str, content: Json) -> Draft {
    Draft::state(sender, "m.room.member", target, content)
}

#[test]
fn table() {
    let target = StateKey::member(LEFT);
    let by = StateKey::member(ADMIN);
    let of = |membership| json!({ "membership": membership });
    let authorised = json!({ "membership": "join", "join_authorised_via_users_server": ADMIN });
    let by_oneself = json!({ "membership": "join", "join_authorised_via_users_server": LEFT });
    let authorised_leave = json!({ "membership": "leave", "join_authorised_via_users_server": ADMIN });
    let signed = json!({ "signed": { "token": "t" } });
    let third = json!({ "membership": "invite", "third_party_invite": signed });
    let third_join = json!({ "membership": "join", "third_party_invite": signed });
    let odd_third = json!({ "membership": "invite", "third_party_invite": { "signed": { "token": 1 } } });

    assert_selects("message", ALL, &Draft::message(USER, "m.room.message", json!({})), &[]);
    assert_selects("state", ALL, &Draft::state(USER, "m.room.topic", "", json!({})), &[]);
    assert_selects("like a member", ALL, &Draft::state(USER, "m.room.x", LEFT, of("join")), &[]);
    assert_selects("join", ALL, &member(LEFT, LEFT, of("join")), &[join_rules()]);
    assert_selects("join of another", ALL, &member(USER, LEFT, of("join")), &[target.clone(), join_rules()]);
    assert_selects("invite", ALL, &member(USER, LEFT, of("invite")), &[target.clone(), join_rules()]);
    assert_selects("leave", ALL, &member(USER, USER, of("leave")), &[]);
    assert_selects("kick", ALL, &member(USER, LEFT, of("leave")), from_ref(&target));
    assert_selects("ban", ALL, &member(USER, LEFT, of("ban")), from_ref(&target));
    assert_selects("knock", 7..=12, &member(LEFT, LEFT, of("knock")), &[join_rules()]);
    assert_selects("authorised join", 1..=7, &member(LEFT, LEFT, authorised.clone()), &[join_rules()]);
    assert_selects("authorised join", 8..=12, &member(LEFT, LEFT, authorised), &[join_rules(), by]);
    assert_selects("authorised by oneself", ALL, &member(LEFT, LEFT, by_oneself), &[join_rules()]);
    assert_selects("authorised leave", ALL, &member(LEFT, LEFT, authorised_leave), &[]);
    assert_selects(
        "third party",
        ALL,
        &member(USER, LEFT, third),
        &[target.clone(), join_rules(), third_party()],
    );
    assert_selects("third party join", ALL, &member(LEFT, LEFT, third_join), &[join_rules()]);
    assert_selects("odd token", ALL, &member(USER, LEFT, odd_third), &[target.clone(), join_rules()]);
    assert_selects("odd membership", ALL, &member(USER, LEFT, of("dance")), from_ref(&target));
    assert_selects("no membership", ALL, &member(USER, LEFT, json!({})), &[target]);
    assert_selects("no state key", ALL, &Draft::message(USER, "m.room.member", of("leave")), &[]);
}

#[test]
fn a_create_event_selects_nothing() {
    for version in ALL {
        let room = room().in_version(version);
        assert_eq!(types_of(&room.create, room.rules), []);
    }
}
