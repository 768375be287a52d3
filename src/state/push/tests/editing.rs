//! Changes to a ruleset.

use ruma::push::{Action, NewConditionalPushRule, NewPushRule, RuleKind, Ruleset};
use serde_json::json;

use super::{bob, body, conditional, content, outcome};
use crate::push::{default_rules, edit};

#[test]
fn placing() {
    let ids = |rules: &Ruleset| rules.content.iter().map(|rule| rule.rule_id.as_str()).collect::<String>();
    let mut rules = default_rules(bob());
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
    let first = edit::put(&default_rules(bob()), conditional("x", json!([])), None, None).unwrap();
    assert_eq!(first.override_.iter().position(|rule| rule.rule_id == "x"), Some(1));
}

#[test]
fn changing_and_deleting() {
    let rules = edit::put(&default_rules(bob()), content("a", "x"), None, None).unwrap();
    let rules = edit::set_enabled(&rules, RuleKind::Content, "a", false).unwrap();
    let rules = edit::put(&rules, content("a", "y"), None, None).unwrap();
    assert!(!rules.content[0].enabled && rules.content[0].pattern == "y");
    let actions: Vec<Action> = serde_json::from_value(json!(["dont_notify", "coalesce", "notify"])).unwrap();
    let rules = edit::set_actions(&rules, RuleKind::Content, "a", actions).unwrap();
    assert_eq!(
        serde_json::to_value(&rules.content[0].actions).unwrap(),
        json!(["dont_notify", "coalesce", "notify"])
    );
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
