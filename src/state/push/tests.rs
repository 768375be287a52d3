//! Outcomes as tables: the default rules, a user's own, and what a ruleset comes to in a room.

mod editing;
mod globs;
mod properties;
mod threads;

use ruma::push::{
    Action, NewConditionalPushRule, NewPatternedPushRule, NewPushRule, NewSimplePushRule, RuleKind, Ruleset,
};
use ruma::{OwnedUserId, UserId, user_id};
use serde_json::{Value, json};

use super::*;
use crate::Pdu;
use crate::auth::Authority;
use crate::fixtures::{builder, key, state, version};

fn event(kind: &str, state_key: Option<&str>, content: Value) -> Pdu {
    let rules = version(11);
    let mut builder = builder(rules, kind, content);
    builder.state_key = state_key.map(str::to_owned);
    builder.build(rules, &key("a.test")).unwrap()
}

fn body(text: &str) -> Pdu {
    event("m.room.message", None, json!({"msgtype": "m.text", "body": text}))
}

/// A room where the sender of every event here, `@alice:a.test`, has this power.
fn authority(power: i64) -> Authority {
    let rules = version(11);
    let create = state(rules, "m.room.create", "", json!({"room_version": "11"}));
    let levels = state(rules, "m.room.power_levels", "", json!({"users": {"@alice:a.test": power}}));
    let [create, levels] = [create, levels].map(|event| event.build(rules, &key("a.test")).unwrap());
    Authority::new(&create, Some(&levels), rules).unwrap()
}

/// "-" silent, "n" notify, "s" with a sound, "h" highlighted.
fn outcome(rules: &Ruleset, event: &Pdu, members: u64, power: i64, user: &UserId) -> String {
    let authority = authority(power);
    let room = RoomContext { members, authority: Some(&authority) };
    let reader = Reader { user, display_name: Some("Bob (he)"), subscribed: None };
    let outcome = evaluate(rules, &PushEvent::new(event), &room, &reader);
    let flags = [
        (outcome.notify, "n"),
        (outcome.sound.is_some(), "s"),
        (outcome.highlight, "h"),
        (!outcome.notify, "-"),
    ];
    flags.into_iter().filter_map(|(set, letter)| set.then_some(letter)).collect()
}

fn bob() -> &'static UserId {
    user_id!("@bob:a.test")
}

fn edited() -> Value {
    json!({"msgtype": "m.text", "m.relates_to": {"rel_type": "m.replace"}})
}

#[test]
fn the_default_rules() {
    let mention = json!({"m.mentions": {"user_ids": [7, "@bob:a.test"]}});
    let room = json!({"m.mentions": {"room": true}});
    let notice = json!({"msgtype": "m.notice", "m.mentions": {"user_ids": ["@bob:a.test"], "room": true}});
    let mut edit = edited();
    edit["m.mentions"] = mention["m.mentions"].clone();
    // Type, state key, content; for 2 members, for 3 members, for 3 with a sender who may mention the room.
    let table = [
        ("m.room.message", None, json!({"body": "hi"}), ["ns", "n", "n"]),
        ("M.Room.Message", None, json!({"body": "hi"}), ["ns", "n", "n"]),
        ("m.room.message", Some(""), json!({"body": "hi"}), ["ns", "n", "n"]),
        ("m.room.message", None, notice, ["-", "-", "-"]),
        ("m.room.message", None, edited(), ["-", "-", "-"]),
        ("m.room.message", None, edit, ["nsh", "nsh", "nsh"]),
        ("m.room.encrypted", None, json!({}), ["ns", "n", "n"]),
        ("m.call.invite", None, json!({}), ["ns", "ns", "ns"]),
        ("m.reaction", None, json!({}), ["-", "-", "-"]),
        ("m.reaction", None, mention.clone(), ["nsh", "nsh", "nsh"]),
        ("m.other", None, json!({}), ["-", "-", "-"]),
        ("m.other", None, mention.clone(), ["nsh", "nsh", "nsh"]),
        ("org.matrix.msc3381.poll.start", None, json!({}), ["ns", "n", "n"]),
        ("org.matrix.msc3381.poll.end", None, json!({}), ["ns", "n", "n"]),
        ("Org.Matrix.msc3381.poll.end", None, json!({}), ["-", "-", "-"]),
        ("org.matrix.msc3381.poll.response", None, json!({}), ["-", "-", "-"]),
        ("org.matrix.msc3381.poll.response", None, mention, ["nsh", "nsh", "nsh"]),
        ("m.other", None, room.clone(), ["-", "-", "nh"]),
        ("m.room.message", None, room, ["ns", "n", "nh"]),
        (
            "m.room.message",
            None,
            json!({"m.mentions": {"room": "true", "user_ids": "@bob:a.test"}}),
            ["ns", "n", "n"],
        ),
        ("m.room.tombstone", Some(""), json!({}), ["nh", "nh", "nh"]),
        ("m.room.tombstone", Some("x"), json!({}), ["-", "-", "-"]),
        ("m.room.tombstone", None, json!({}), ["-", "-", "-"]),
        ("m.room.server_acl", Some(""), json!({}), ["-", "-", "-"]),
        ("m.room.topic", Some(""), json!({"topic": "x"}), ["-", "-", "-"]),
        ("m.room.member", Some("@bob:a.test"), json!({"membership": "invite"}), ["ns", "ns", "ns"]),
        ("m.room.member", Some("@eve:a.test"), json!({"membership": "invite"}), ["-", "-", "-"]),
        ("m.room.member", Some("@bob:a.test"), json!({"membership": "ban"}), ["-", "-", "-"]),
    ];
    let rules = default_rules(bob());
    for (kind, state_key, content, expected) in table {
        let event = event(kind, state_key, content);
        for ((members, power), expected) in [(2, 0), (3, 0), (3, 50)].into_iter().zip(expected) {
            assert_eq!(outcome(&rules, &event, members, power, bob()), expected, "{}", event.canonical());
        }
        assert_eq!(outcome(&rules, &event, 2, 100, event.sender()), "-", "one's own event");
        let found = default_outcome(&event, None);
        let names_nobody = found.mentioned.is_empty() && found.invited.is_none();
        assert_eq!(found.everyone > Reach::Silent, expected[1].contains('n') && names_nobody);
    }
}

#[test]
fn mentions_are_bounded_and_leave_out_the_sender() {
    let mut users: Vec<String> = (0..2 * MAX_MENTIONED).map(|n| format!("@u{n}:b")).collect();
    users.extend(["@alice:a.test".to_owned(), "no user".to_owned()]);
    users.splice(0..0, vec!["@same:b".to_owned(); 1000]);
    let found = default_outcome(&event("m.x", None, json!({"m.mentions": {"user_ids": users}})), None);
    assert_eq!(found.mentioned.len(), MAX_MENTIONED);
    assert!(found.mentioned.contains(user_id!("@same:b")));
    let own = json!({"m.mentions": {"user_ids": ["@alice:a.test", "no user"]}});
    assert!(default_outcome(&event("m.x", None, own), None).mentioned.is_empty());
}

fn conditional(id: &str, conditions: Value) -> NewPushRule {
    let rule = json!({"rule_id": id, "conditions": conditions, "actions": ["notify"]});
    NewPushRule::Override(serde_json::from_value::<NewConditionalPushRule>(rule).unwrap())
}

fn content(id: &str, pattern: &str) -> NewPushRule {
    NewPushRule::Content(NewPatternedPushRule::new(id.into(), pattern.into(), vec![Action::Notify]))
}

#[test]
fn conditions_of_own_rules() {
    let tree =
        json!({"body": "hey bob (HE) there", "n": 3, "no": null, "list": [1, true, "x", [2]], "t": "Ab"});
    let event = event("m.own", None, tree);
    let table = [
        (json!([]), true),
        (json!([{"kind": "event_match", "key": "content.t", "pattern": "a?"}]), true),
        (json!([{"kind": "event_match", "key": "content.n", "pattern": "*"}]), false),
        (json!([{"kind": "event_match", "key": "content.none", "pattern": "*"}]), false),
        (json!([{"kind": "event_match", "key": "room_id", "pattern": "!room:a.test"}]), true),
        (json!([{"kind": "event_match", "key": "content.t", "pattern": "?".repeat(5000)}]), false),
        (json!([{"kind": "event_property_is", "key": "content.n", "value": 3}]), true),
        (json!([{"kind": "event_property_is", "key": "content.n", "value": "3"}]), false),
        (json!([{"kind": "event_property_is", "key": "content.no", "value": null}]), true),
        (json!([{"kind": "event_property_is", "key": "content.list", "value": 1}]), false),
        (json!([{"kind": "event_property_contains", "key": "content.list", "value": true}]), true),
        (json!([{"kind": "event_property_contains", "key": "content.list", "value": 2}]), false),
        (json!([{"kind": "event_property_contains", "key": "content.t", "value": "Ab"}]), false),
        (json!([{"kind": "room_member_count", "is": "<=10"}]), true),
        (json!([{"kind": "room_member_count", "is": ">3"}]), false),
        (json!([{"kind": "sender_notification_permission", "key": "room"}]), true),
        (json!([{"kind": "sender_notification_permission", "key": "unheard"}]), true),
        (json!([{"kind": "contains_display_name"}]), true),
        (json!([{"kind": "org.example.unknown", "key": "type"}]), false),
        (json!([{"kind": "event_match", "key": "type", "pattern": "*"}, {"kind": "org.example.no"}]), false),
    ];
    for (conditions, expected) in table {
        let rules = edit::put(&Ruleset::new(), conditional("own", conditions.clone()), None, None);
        // A pattern that is too long is refused; from elsewhere it matches nothing.
        let rules = rules.unwrap_or_else(|error| {
            assert_eq!(error, edit::EditError::PatternTooLong);
            let rule = json!({"rule_id": "own", "default": false, "enabled": true, "actions": ["notify"]});
            let mut rules = json!({ "override": [rule] });
            rules["override"][0]["conditions"] = conditions.clone();
            serde_json::from_value(rules).unwrap()
        });
        assert_eq!(outcome(&rules, &event, 3, 50, bob()) == "n", expected, "{conditions}");
    }
}

#[test]
fn kinds_have_their_order() {
    let mut rules = default_rules(bob());
    let event = body("some cake");
    let alice: OwnedUserId = event.sender().to_owned();
    let mut put = |rule| {
        rules = edit::put(&rules, rule, None, None).unwrap();
        outcome(&rules, &event, 3, 0, bob())
    };
    let sound: Action = serde_json::from_value(json!({"set_tweak": "sound", "value": "x"})).unwrap();
    assert_eq!(put(NewPushRule::Sender(NewSimplePushRule::new(alice, vec![]))), "-");
    let loud = vec![Action::Notify, sound];
    assert_eq!(put(NewPushRule::Room(NewSimplePushRule::new(event.room_id().to_owned(), loud))), "ns");
    assert_eq!(put(content("cake", "CAKE")), "n");
    rules = edit::set_enabled(&rules, RuleKind::Content, "cake", false).unwrap();
    assert_eq!(outcome(&rules, &event, 3, 0, bob()), "ns");
    rules = edit::put(&rules, conditional("all", json!([])), None, None).unwrap();
    assert_eq!(outcome(&rules, &event, 3, 0, bob()), "n");
    rules = edit::set_enabled(&rules, RuleKind::Override, ".m.rule.master", true).unwrap();
    assert_eq!(outcome(&rules, &event, 3, 0, bob()), "-", "the master rule is above the user's own");
}

#[test]
fn simple_rulesets_are_recognised() {
    let event = body("x");
    let room = event.room_id();
    let other = ruma::room_id!("!other:a.test");
    let start = default_rules(bob());
    let override_in = |pattern: &str, actions: Value| {
        let conditions = json!([{"kind": "event_match", "key": "room_id", "pattern": pattern}]);
        let rule = json!({"rule_id": pattern, "conditions": conditions, "actions": actions});
        NewPushRule::Override(serde_json::from_value(rule).unwrap())
    };
    let room_rule =
        |actions: Vec<Action>| NewPushRule::Room(NewSimplePushRule::new(room.to_owned(), actions));
    let put = |rule| edit::put(&start, rule, None, None).unwrap();
    let with_keyword = |rules: &Ruleset| edit::put(rules, content("cake", "cake"), None, None).unwrap();
    let message =
        |actions| edit::set_actions(&start, RuleKind::Underride, ".m.rule.message", actions).unwrap();
    let sound: Action = serde_json::from_value(json!({"set_tweak": "sound", "value": "x"})).unwrap();
    let off = |id: &str| edit::set_enabled(&start, RuleKind::Override, id, false).unwrap();
    let muted = put(override_in(room.as_str(), json!([])));
    let quiet = put(room_rule(vec![]));
    let below = edit::put(&muted, conditional("x", json!([])), None, Some(room.as_str())).unwrap();
    let above = edit::put(&muted, conditional("x", json!([])), Some(room.as_str()), None).unwrap();
    let table = [
        (start.clone(), InRoom::Default, InRoom::Default),
        (message(vec![Action::Notify, sound]), InRoom::Default, InRoom::Default),
        (message(vec![]), InRoom::Own, InRoom::Own),
        (off(".m.rule.suppress_edits"), InRoom::Own, InRoom::Own),
        (
            edit::set_enabled(&start, RuleKind::Override, ".m.rule.master", true).unwrap(),
            InRoom::Silent,
            InRoom::Silent,
        ),
        (muted.clone(), InRoom::Silent, InRoom::Default),
        (put(override_in(&room.as_str().to_uppercase(), json!([]))), InRoom::Silent, InRoom::Default),
        (put(override_in("!room:*", json!([]))), InRoom::Own, InRoom::Own),
        (put(override_in(room.as_str(), json!(["notify"]))), InRoom::Own, InRoom::Default),
        (with_keyword(&muted), InRoom::Silent, InRoom::Own),
        // `before` another rule is more important than it.
        (below, InRoom::Own, InRoom::Own),
        (above, InRoom::Silent, InRoom::Own),
        (quiet.clone(), InRoom::HighlightsOnly, InRoom::Default),
        (put(room_rule(vec![Action::Notify])), InRoom::Own, InRoom::Default),
        (with_keyword(&quiet), InRoom::Own, InRoom::Own),
        (with_keyword(&start), InRoom::Own, InRoom::Own),
        (
            put(NewPushRule::Sender(NewSimplePushRule::new(event.sender().to_owned(), vec![]))),
            InRoom::Own,
            InRoom::Own,
        ),
    ];
    for (index, (rules, here, elsewhere)) in table.into_iter().enumerate() {
        let found = RulesByRoom::new(&rules, bob());
        assert_eq!((found.in_room(room), found.in_room(other)), (here, elsewhere), "row {index}");
    }
}
