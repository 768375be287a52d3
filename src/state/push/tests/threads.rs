//! Rules about thread subscriptions (MSC4306).

use ruma::push::{Action, PredefinedUnderrideRuleId, RuleKind, Ruleset};
use serde_json::{Value, json};

use super::{authority, bob, event};
use crate::push::{
    InRoom, PushEvent, Reader, RoomContext, RulesByRoom, ThreadRules, default_rules, edit, evaluate,
    with_default_rules,
};

const UNSUBSCRIBED: &str = ".io.element.msc4306.rule.unsubscribed_thread";
const SUBSCRIBED: &str = ".io.element.msc4306.rule.subscribed_thread";

fn enabled(rules: &Ruleset, id: &str, enabled: bool) -> Ruleset {
    edit::set_enabled(rules, RuleKind::PostContent, id, enabled).unwrap()
}

#[test]
fn the_condition_is_about_events_in_threads() {
    assert_eq!(PredefinedUnderrideRuleId::UnsubscribedThread.as_str(), UNSUBSCRIBED);
    let silencing = enabled(&default_rules(bob()), UNSUBSCRIBED, true);
    let off = enabled(&default_rules(bob()), SUBSCRIBED, false);
    let message = event("m.room.message", None, json!({"body": "x"}));
    let mention = event("m.other", None, json!({"m.mentions": {"user_ids": [bob()]}}));
    let other = event("m.other", None, json!({}));
    // In no thread, in one that bob has not subscribed to, in one that he has; under the default rules, with the silencing rule, without both.
    let table = [
        (&message, ["n", "n", "n"], ["n", "-", "n"], ["n", "n", "n"]),
        (&mention, ["h", "h", "h"], ["h", "h", "h"], ["h", "h", "h"]),
        (&other, ["-", "-", "n"], ["-", "-", "n"], ["-", "-", "-"]),
    ];
    let (authority, members) = (authority(0), 3);
    let room = RoomContext { members, authority: Some(&authority) };
    for (event, by_default, silenced, without) in table {
        for (rules, expected) in
            [(&default_rules(bob()), by_default), (&silencing, silenced), (&off, without)]
        {
            for (subscribed, expected) in [None, Some(false), Some(true)].into_iter().zip(expected) {
                let reader = Reader { user: bob(), display_name: None, subscribed };
                let said = evaluate(rules, &PushEvent::new(event), &room, &reader);
                let said = if said.highlight {
                    "h"
                } else if said.notify {
                    "n"
                } else {
                    "-"
                };
                assert_eq!(said, expected, "{} {subscribed:?}", event.canonical());
            }
        }
    }
}

#[test]
fn what_they_come_to_is_recognised() {
    let start = default_rules(bob());
    let room = ruma::room_id!("!room:a.test");
    let found = |rules: &Ruleset| {
        let by_room = RulesByRoom::new(rules, bob());
        let ThreadRules { silences_others, tells_subscribed } = by_room.threads();
        (by_room.in_room(room), silences_others, tells_subscribed)
    };
    assert_eq!(found(&start), (InRoom::Default, false, true));
    assert_eq!(found(&enabled(&start, UNSUBSCRIBED, true)), (InRoom::Default, true, true));
    assert_eq!(found(&enabled(&start, SUBSCRIBED, false)), (InRoom::Default, false, false));
    let quiet = edit::set_actions(&start, RuleKind::PostContent, SUBSCRIBED, vec![]).unwrap();
    assert_eq!(found(&quiet).0, InRoom::Own);
    let loud = enabled(&start, UNSUBSCRIBED, true);
    let loud = edit::set_actions(&loud, RuleKind::PostContent, UNSUBSCRIBED, vec![Action::Notify]).unwrap();
    assert_eq!(found(&loud).0, InRoom::Own);
}

/// Rulesets were stored before there were such rules, and after.
#[test]
fn stored_rulesets_have_them_as_the_user_left_them() {
    let stored = |rules: &Ruleset| -> Value { serde_json::to_value(rules).unwrap() };
    let mut before = stored(&default_rules(bob()));
    before.as_object_mut().unwrap().remove("postcontent");
    let read = |stored: Value| with_default_rules(serde_json::from_value(stored).unwrap(), bob());
    assert_eq!(stored(&read(before)), stored(&default_rules(bob())));
    let changed = enabled(&enabled(&default_rules(bob()), UNSUBSCRIBED, true), SUBSCRIBED, false);
    assert_eq!(stored(&read(stored(&changed))), stored(&changed));
    let mut gone = stored(&changed);
    gone["postcontent"][0]["rule_id"] = json!(".m.rule.gone");
    let expected = enabled(&changed, UNSUBSCRIBED, false);
    assert_eq!(stored(&read(gone)), stored(&expected));
}
