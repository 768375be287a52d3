use std::cell::Cell;

use proptest::{collection, prelude::*};
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
    let reader = Reader { user, display_name: Some("Bob (he)") };
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
fn default_rules() {
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
        ("m.other", None, mention, ["nsh", "nsh", "nsh"]),
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
    let rules = Ruleset::server_default(bob());
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

#[test]
fn globs_match_words_and_whole_values() {
    let words = [
        ("ex*ple", "An example event.", true),
        ("ex*ple", "exple", true),
        ("ex*ple", "An exciting triple-whammy", true),
        ("ex*ple", "An examples", false),
        ("cake", "CAKE!", true),
        ("cake", "cakes pancake cake", true),
        ("cake", "pancake cakes _cake", false),
        ("cake", "écakeé", true),
        ("c?ke", "a c\nke", true),
        ("c?ke", "cke", false),
        ("", "", true),
        ("", "x", false),
        ("*", "", true),
        ("?", "", false),
        ("a.b", "axb", false),
        ("!", "a!b", true),
        ("aa", "aaa aa", true),
    ];
    for (pattern, text, expected) in words {
        assert_eq!(Glob::new(pattern).unwrap().matches_words(text.chars()), expected, "{pattern} {text}");
    }
    let whole = [
        ("lunc?*", "Lunch plans", true),
        ("lunc?*", "LUNCH", true),
        ("lunc?*", " lunch", false),
        ("lunc?*", "lunc", false),
        ("", "", true),
        ("", "a", false),
        ("**a**b", "xaxbxb", true),
        ("**a**b", "xaxbx", false),
    ];
    for (pattern, text, expected) in whole {
        assert_eq!(Glob::new(pattern).unwrap().matches(text.chars()), expected, "{pattern} {text}");
    }
    assert!(Glob::literal("Bob*").unwrap().matches_words("hi bob* there".chars()));
    assert!(!Glob::literal("Bob*").unwrap().matches_words("hi bobby".chars()));
}

/// The plain definition, exponential as it is.
fn naive(pattern: &[char], text: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('*', rest)) => (0..=text.len()).any(|skip| naive(rest, &text[skip..])),
        Some((wanted, rest)) => text
            .split_first()
            .is_some_and(|(first, text)| (*wanted == '?' || wanted == first) && naive(rest, text)),
    }
}

/// CVE-2021-29471: whatever the pattern, a character of the text is looked at once, for a fixed number of steps.
#[test]
fn b9_139_cost_is_one_step_for_each_character() {
    let text = "a".repeat(65_000);
    let patterns =
        ["*a".repeat(200) + "b", "a".repeat(254) + "b*", "?*".repeat(254) + "b", "*".repeat(60_000) + "b"];
    for pattern in patterns.iter().filter_map(|pattern| Glob::new(pattern)) {
        for words in [false, true] {
            let steps = Cell::new(0);
            let counted = text.chars().inspect(|_| steps.set(steps.get() + 1));
            assert!(!if words { pattern.matches_words(counted) } else { pattern.matches(counted) });
            assert!(steps.get() <= text.len());
        }
    }
    assert!(Glob::new(&"?".repeat(255)).is_some());
    assert!(Glob::new(&"?".repeat(256)).is_none());
}

/// A flattened event would hold the long key once for each of its 3,000 leaves: 54 MB.
#[test]
fn b9_139_paths_are_walked() {
    let leaves: serde_json::Map<_, _> = (0..3000).map(|n| (n.to_string(), json!(n))).collect();
    let long = "k.".repeat(9_000);
    let event = PushEvent::new(&event("m.x", None, json!({ &long: leaves, "a\\b": {"": 1, "\\x": 2} })));
    let path = format!("content.{}.77", long.replace('.', "\\."));
    assert_eq!(event.property(&path).unwrap().as_int(), Some(77));
    assert_eq!(event.property(r"content.a\\b.").unwrap().as_int(), Some(1));
    assert_eq!(event.property(r"content.a\\b.\x").unwrap().as_int(), Some(2));
    for absent in ["", ".", "content.", r"content\", "content.k.77", "sender.x", "content..", "state_key"] {
        assert!(event.property(absent).is_none(), "{absent}");
    }
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
    let mut rules = Ruleset::server_default(bob());
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
    let start = Ruleset::server_default(bob());
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

#[test]
fn placing() {
    let ids = |rules: &Ruleset| rules.content.iter().map(|rule| rule.rule_id.as_str()).collect::<String>();
    let mut rules = Ruleset::server_default(bob());
    for (id, after, before, expected) in [
        ("a", None, None, Ok("a")),
        ("b", None, None, Ok("ba")),
        ("c", Some("b"), None, Ok("bca")),
        ("d", None, Some("a"), Ok("bcda")),
        ("b", None, None, Ok("bcda")),
        ("b", Some("a"), None, Ok("cdab")),
        ("c", None, Some("b"), Ok("dacb")),
        ("e", Some("d"), Some("b"), Ok("daceb")),
        ("e", Some("b"), Some("d"), Err(edit::EditError::BeforeAboveAfter)),
        ("e", Some("b"), Some("b"), Err(edit::EditError::BeforeAboveAfter)),
        ("e", Some("e"), None, Err(edit::EditError::UnknownRelative)),
        ("e", None, Some("none"), Err(edit::EditError::UnknownRelative)),
        ("e", None, Some(".m.rule.master"), Err(edit::EditError::RelativeToDefault)),
        (".e", None, None, Err(edit::EditError::ReservedId)),
        ("e/", None, None, Err(edit::EditError::InvalidId)),
        ("e\\", None, None, Err(edit::EditError::InvalidId)),
        ("", None, None, Err(edit::EditError::InvalidId)),
    ] {
        let result = edit::put(&rules, content(id, "x"), after, before);
        assert_eq!(result.as_ref().map(ids).map_err(|error| *error), expected.map(str::to_owned));
        rules = result.unwrap_or(rules);
    }
    let empty = edit::put(&Ruleset::new(), conditional("x", json!([])), None, None).unwrap();
    assert_eq!(empty.override_.len(), 1);
    let first = edit::put(&Ruleset::server_default(bob()), conditional("x", json!([])), None, None).unwrap();
    assert_eq!(first.override_.iter().position(|rule| rule.rule_id == "x"), Some(1));
}

#[test]
fn changing_and_deleting() {
    let rules = edit::put(&Ruleset::server_default(bob()), content("a", "x"), None, None).unwrap();
    let rules = edit::set_enabled(&rules, RuleKind::Content, "a", false).unwrap();
    let rules = edit::put(&rules, content("a", "y"), None, None).unwrap();
    assert!(!rules.content[0].enabled && rules.content[0].pattern == "y");
    let actions: Vec<Action> = serde_json::from_value(json!(["dont_notify", "coalesce", "notify"])).unwrap();
    let rules = edit::set_actions(&rules, RuleKind::Content, "a", actions).unwrap();
    assert_eq!(serde_json::to_value(&rules.content[0].actions).unwrap(), json!(["notify"]));
    let rules = edit::set_actions(&rules, RuleKind::Underride, ".m.rule.message", vec![]).unwrap();
    assert_eq!(outcome(&rules, &body("x"), 3, 0, bob()), "-");
    let error = |result: Result<Ruleset, _>| result.unwrap_err();
    let odd = RuleKind::from("odd");
    assert_eq!(error(edit::remove(&rules, odd.clone(), "a")), edit::EditError::NotFound);
    assert_eq!(error(edit::set_enabled(&rules, odd.clone(), "a", true)), edit::EditError::NotFound);
    assert_eq!(error(edit::set_actions(&rules, odd, "a", vec![])), edit::EditError::NotFound);
    assert_eq!(error(edit::remove(&rules, RuleKind::Content, "b")), edit::EditError::NotFound);
    let default = edit::remove(&rules, RuleKind::Override, ".m.rule.master");
    assert_eq!(error(default), edit::EditError::ServerDefault);
    assert!(edit::remove(&rules, RuleKind::Content, "a").unwrap().content.is_empty());
}

#[test]
fn b9_139_limits() {
    let fill = |count: usize, rule: &dyn Fn(usize) -> NewPushRule| {
        (0..count).try_fold(Ruleset::new(), |rules, n| edit::put(&rules, rule(n), None, None)).map(drop)
    };
    let content_rule = |n: usize| content(&n.to_string(), "x");
    assert_eq!(fill(edit::MAX_CONDITIONS, &content_rule), Ok(()));
    assert_eq!(fill(edit::MAX_CONDITIONS + 1, &content_rule), Err(edit::EditError::TooMany));
    let many = json!(vec![json!({"kind": "room_member_count", "is": "2"}); edit::MAX_CONDITIONS + 1]);
    assert_eq!(fill(1, &|_| conditional("x", many.clone())), Err(edit::EditError::TooMany));
    let large = json!([{"kind": "org.example", "data": "x".repeat(edit::MAX_RULESET_BYTES)}]);
    assert_eq!(fill(1, &|_| conditional("x", large.clone())), Err(edit::EditError::TooMany));
    let empty = |n: usize| NewPushRule::Override(NewConditionalPushRule::new(n.to_string(), vec![], vec![]));
    assert_eq!(fill(edit::MAX_RULES + 1, &empty), Err(edit::EditError::TooMany));
    assert_eq!(fill(1, &|_| content("x", &"?".repeat(256))), Err(edit::EditError::PatternTooLong));
    assert_eq!(fill(1, &|_| content(&"x".repeat(256), "x")), Err(edit::EditError::InvalidId));
}

fn any_event() -> impl Strategy<Value = Pdu> {
    let kinds = prop::sample::select(vec![
        "m.room.message",
        "m.room.encrypted",
        "m.call.invite",
        "m.reaction",
        "m.room.tombstone",
        "m.room.member",
        "m.room.server_acl",
        "M.ROOM.message",
        "m.other",
    ]);
    let state_key = prop::option::of(prop::sample::select(vec!["", "@bob:a.test", "@eve:b", "x"]));
    let words = vec![
        json!("m.notice"),
        json!("M.NOTICE"),
        json!("invite"),
        json!("m.replace"),
        json!(1),
        json!(true),
        json!({"room": true}),
        json!({"room": 1}),
        json!({"user_ids": ["@bob:a.test", null]}),
        json!({"user_ids": ["@eve:b"], "room": true}),
        json!({"rel_type": "m.replace"}),
        json!([]),
    ];
    let keys = vec!["msgtype", "membership", "m.mentions", "m.mentions", "m.relates_to", "body"];
    let content = collection::vec((prop::sample::select(keys), prop::sample::select(words)), 0..6);
    (kinds, state_key, content).prop_map(|(kind, state_key, content)| {
        let content = content.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        event(kind, state_key, Value::Object(content))
    })
}

/// The default rules with some changes.
fn any_rules() -> impl Strategy<Value = Ruleset> {
    let change = (0..12_usize, any::<bool>(), any::<bool>());
    collection::vec(change, 0..4).prop_map(|changes| {
        changes.into_iter().fold(Ruleset::server_default(bob()), |rules, (change, here, notify)| {
            let room = if here { "!room:a.test" } else { "!other:a.test" };
            let actions = if notify { vec![Action::Notify] } else { vec![] };
            let rule = match change {
                0..3 => {
                    let named = json!([{"kind": "event_match", "key": "room_id", "pattern": room}]);
                    let NewPushRule::Override(mut rule) = conditional(room, named) else { unreachable!() };
                    rule.actions = actions;
                    NewPushRule::Override(rule)
                }
                3..6 => {
                    NewPushRule::Room(NewSimplePushRule::new(ruma::RoomId::parse(room).unwrap(), actions))
                }
                6 => content("body", "x"),
                7 => conditional("all", json!([{"kind": "room_member_count", "is": "3"}])),
                8..10 => {
                    let id = [".m.rule.message", ".m.rule.encrypted"][usize::from(here)];
                    return edit::set_actions(&rules, RuleKind::Underride, id, actions).unwrap();
                }
                _ => {
                    let id = [".m.rule.master", ".m.rule.tombstone"][usize::from(here)];
                    return edit::set_enabled(&rules, RuleKind::Override, id, notify).unwrap();
                }
            };
            edit::put(&rules, rule, None, None).unwrap()
        })
    })
}

proptest! {
    #[test]
    fn globs_are_what_they_are_defined_as(pattern in "[ab?*]{0,7}", text in "[ab_ ]{0,9}") {
        let glob = Glob::new(&pattern).unwrap();
        let (wanted, chars): (Vec<_>, Vec<_>) = (pattern.chars().collect(), text.chars().collect());
        prop_assert_eq!(glob.matches(text.chars()), naive(&wanted, &chars));
        let word = |at: Option<&char>| at.is_some_and(|c| c.is_ascii_alphanumeric() || *c == '_');
        let boundary = |at: usize| at == 0 || !word(chars.get(at - 1)) || !word(chars.get(at));
        let found = (0..=chars.len()).any(|from| (from..=chars.len()).any(|to| {
            boundary(from) && boundary(to) && naive(&wanted, &chars[from..to])
        }));
        prop_assert_eq!(glob.matches_words(text.chars()), if pattern.is_empty() { text.is_empty() } else { found });
    }

    #[test]
    fn the_default_outcome_is_what_the_default_rules_say(event in any_event(), power in 49..=50_i64) {
        let found = default_outcome(&event, Some(&authority(power)));
        for user in [bob(), user_id!("@eve:b"), user_id!("@nobody:c")] {
            let said = outcome(&Ruleset::server_default(user), &event, 3, power, user);
            let named = found.mentioned.contains(user);
            let notify = found.everyone > Reach::Silent || named || found.invited.as_deref() == Some(user);
            prop_assert_eq!(said.contains('n'), notify, "{}", event.canonical());
            prop_assert_eq!(said.contains('h'), named || found.everyone == Reach::Highlight);
        }
    }

    #[test]
    fn what_a_ruleset_comes_to_is_what_it_says(event in any_event(), power in 49..=50_i64, rules in any_rules()) {
        let found = default_outcome(&event, Some(&authority(power)));
        let said = outcome(&rules, &event, 3, power, bob());
        let named = found.mentioned.contains(bob());
        let (notify, highlight) = (found.everyone > Reach::Silent || named, found.everyone == Reach::Highlight || named);
        let invited = found.invited.as_deref() == Some(bob());
        let said = (said.contains('n'), said.contains('h'));
        match RulesByRoom::new(&rules, bob()).in_room(event.room_id()) {
            InRoom::Default => prop_assert_eq!(said, (notify || invited, highlight)),
            InRoom::HighlightsOnly => prop_assert_eq!(said, (highlight || invited, highlight)),
            InRoom::Silent => prop_assert_eq!(said, (false, false)),
            InRoom::Own => {}
        }
    }

    #[test]
    fn nothing_panics(pattern in any::<String>(), path in "[a-c.\\\\]{0,12}", text in any::<String>(), id in any::<String>()) {
        if let Some(glob) = Glob::new(&pattern) {
            glob.matches(text.chars());
            glob.matches_words(text.chars());
        }
        let event = body(&text);
        let _ = PushEvent::new(&event).property(&path);
        let match_body = json!([{"kind": "event_match", "key": "content.body", "pattern": pattern}]);
        let rules = Ruleset::server_default(bob());
        if let Ok(rules) = edit::put(&rules, conditional(&id, match_body), Some(&path), None).or_else(|_| edit::put(&rules, content(&id, &pattern), None, None)) {
            outcome(&rules, &event, 2, 0, bob());
        }
    }
}
