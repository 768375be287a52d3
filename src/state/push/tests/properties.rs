//! What holds for any pattern, event and ruleset: the plain definitions as the second opinion.

use proptest::{collection, prelude::*};
use ruma::push::{Action, NewPushRule, NewSimplePushRule, RuleKind, Ruleset};
use ruma::user_id;
use serde_json::{Value, json};

use super::globs::naive;
use super::{authority, bob, body, conditional, content, event, outcome};
use crate::Pdu;
use crate::push::{Glob, InRoom, PushEvent, Reach, RulesByRoom, default_outcome, default_rules, edit};

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
        "org.matrix.msc3381.poll.start",
        "org.matrix.msc3381.poll.END",
        "org.matrix.msc3381.poll.response",
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
        changes.into_iter().fold(default_rules(bob()), |rules, (change, here, notify)| {
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
            let said = outcome(&default_rules(user), &event, 3, power, user);
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
        let rules = default_rules(bob());
        if let Ok(rules) = edit::put(&rules, conditional(&id, match_body), Some(&path), None).or_else(|_| edit::put(&rules, content(&id, &pattern), None, None)) {
            outcome(&rules, &event, 2, 0, bob());
        }
    }
}
