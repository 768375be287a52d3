//! A user's push rules and ignore list.

use plop_accounts::account_data::{AccountDataError, Subject, account_data_changes};
use plop_accounts::ignored_users::ignored_users;
use plop_accounts::push_rules::{KIND, PushRuleError, push_rules};
use plop_accounts::schema::AccountData;
use plop_base::Actor;
use plop_state::push::default_rules;
use plop_state::push::edit::{EditError, MAX_RULESET_BYTES};
use ruma::push::{Action, NewPatternedPushRule, NewPushRule, RuleKind, Ruleset};
use ruma::user_id;
use serde_json::json;

use crate::bed::{Bed, actor, id, json};

fn content(id: &str, pattern: &str) -> NewPushRule {
    NewPushRule::Content(NewPatternedPushRule::new(id.into(), pattern.into(), vec![Action::Notify]))
}

fn ids(rules: &Ruleset) -> String {
    rules.content.iter().map(|rule| rule.rule_id.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_new_user_has_the_default_rules_without_a_row() {
    let bed = Bed::new();
    let (alice, user) = (actor(&bed.user("alice").await), id("alice"));
    let found = push_rules(&bed.db.snapshot(), &user).await.expect("rules");
    assert_eq!(found.changed, None);
    let mut default = json!({"global": default_rules(&user)});
    // Kinds without rules are told.
    for kind in ["content", "room", "sender"] {
        default["global"][kind] = json!([]);
    }
    assert_eq!(serde_json::Value::Object(found.content()), default);
    let rules = bed.accounts.push_rules(&alice, &user).await.expect("rules").rules;
    assert_eq!(json!(rules), json!(default_rules(&user)));
    let rule = bed.accounts.push_rule(&alice, &user, RuleKind::Override, ".m.rule.is_user_mention").await;
    assert!(format!("{:?}", rule.expect("a rule")).contains("@alice:plop.example"));
}

#[tokio::test(start_paused = true)]
async fn rules_come_change_and_go() {
    let bed = Bed::new();
    let (alice, user) = (actor(&bed.user("alice").await), id("alice"));
    let put = async |rule: NewPushRule, after: Option<&str>, before: Option<&str>| {
        bed.accounts.put_push_rule(&alice, &user, &rule, after, before).await
    };
    let start = bed.db.published();
    put(content("a", "cake"), None, None).await.expect("a rule");
    put(content("b", "tea"), None, None).await.expect("a rule");
    put(content("c", "jam"), Some("b"), None).await.expect("a rule");
    put(content("d", "pie"), None, Some("a")).await.expect("a rule");
    bed.accounts.set_push_rule_enabled(&alice, &user, RuleKind::Content, "a", false).await.expect("disabled");
    let message = ".m.rule.message";
    let silent =
        bed.accounts.set_push_rule_actions(&alice, &user, RuleKind::Underride, message, Vec::new()).await;
    silent.expect("actions");
    bed.accounts.delete_push_rule(&alice, &user, RuleKind::Content, "b").await.expect("no rule");

    let bed = bed.restarted();
    let found = push_rules(&bed.db.snapshot(), &user).await.expect("rules");
    assert_eq!(ids(&found.rules), "cda");
    let rule = bed.accounts.push_rule(&alice, &user, RuleKind::Content, "a").await.expect("a rule");
    assert!(!rule.enabled() && rule.actions().len() == 1);
    let rule = bed.accounts.push_rule(&alice, &user, RuleKind::Underride, message).await.expect("a rule");
    assert!(rule.enabled() && rule.actions().is_empty());
    let page = account_data_changes(&bed.db.snapshot(), &user, start, bed.db.published(), 10).await;
    let [item] = page.expect("changes").items.try_into().expect("one item");
    assert_eq!((item.kind.as_str(), Some(item.position)), (KIND, found.changed));
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&item.content).expect("JSON"),
        json!(found.content())
    );
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_is_refused_and_changes_nothing() {
    let bed = Bed::new();
    let (alice, user) = (actor(&bed.user("alice").await), id("alice"));
    let accounts = &bed.accounts;
    let edit = |result: Result<(), PushRuleError>| match result {
        Err(PushRuleError::Edit(error)) => error,
        other => panic!("{other:?}"),
    };
    let put = accounts.put_push_rule(&alice, &user, &content(".a", "x"), None, None).await;
    assert_eq!(edit(put), EditError::ReservedId);
    let put = accounts.put_push_rule(&alice, &user, &content("a", "x"), Some("none"), None).await;
    assert_eq!(edit(put), EditError::UnknownRelative);
    let gone = accounts.delete_push_rule(&alice, &user, RuleKind::Room, "!none:plop.example").await;
    assert_eq!(edit(gone), EditError::NotFound);
    let gone = accounts.delete_push_rule(&alice, &user, RuleKind::Override, ".m.rule.master").await;
    assert_eq!(edit(gone), EditError::ServerDefault);
    let set = accounts.set_push_rule_enabled(&alice, &user, RuleKind::Content, "none", true).await;
    assert_eq!(edit(set), EditError::NotFound);
    let set = accounts.set_push_rule_actions(&alice, &user, RuleKind::Content, "none", vec![]).await;
    assert_eq!(edit(set), EditError::NotFound);
    let got = accounts.push_rule(&alice, &user, RuleKind::Sender, "@none:plop.example").await;
    assert!(matches!(got, Err(PushRuleError::Edit(EditError::NotFound))));
    let other = user_id!("@bob:plop.example");
    let put = accounts.put_push_rule(&alice, other, &content("a", "x"), None, None).await;
    assert!(matches!(put, Err(PushRuleError::AccountData(AccountDataError::Forbidden(_)))));
    let read = accounts.push_rules(&Actor::Server, &user).await;
    assert!(matches!(read, Err(PushRuleError::AccountData(AccountDataError::Forbidden(_)))));
    let bob = actor(&bed.user("bob").await);
    accounts.put_push_rule(&bob, other, &content("a", "x"), None, None).await.expect("a rule");
    assert_eq!(push_rules(&bed.db.snapshot(), &user).await.expect("rules").changed, None);
}

#[tokio::test(start_paused = true)]
async fn two_changes_at_once_are_both_there() {
    let bed = Bed::new();
    let (alice, user) = (actor(&bed.user("alice").await), id("alice"));
    let mut tasks = tokio::task::JoinSet::new();
    for index in 0..20 {
        let (accounts, alice, user) = (bed.accounts.clone(), alice.clone(), user.clone());
        tasks.spawn(async move {
            let rule = content(&format!("{index} "), "x");
            accounts.put_push_rule(&alice, &user, &rule, None, None).await.expect("a rule");
        });
    }
    tasks.join_all().await;
    let rules = bed.accounts.push_rules(&alice, &user).await.expect("rules").rules;
    assert_eq!(rules.content.len(), 20);
}

/// Rows of an older version lack rules that the server has by now, have some that it has no longer, or cannot be read at all.
#[tokio::test(start_paused = true)]
async fn stored_rules_get_the_servers_rules_of_today() {
    let bed = Bed::new();
    let (alice, user) = (actor(&bed.user("alice").await), id("alice"));
    let subject = Subject { user: &user, room: None, kind: KIND };
    let own = r#"{"rule_id": "a", "default": false, "enabled": true, "pattern": "x", "actions": ["notify"]}"#;
    let old =
        r#"{"rule_id": ".m.rule.gone", "default": true, "enabled": true, "conditions": [], "actions": []}"#;
    let master =
        r#"{"rule_id": ".m.rule.master", "default": true, "enabled": true, "conditions": [], "actions": []}"#;
    let stored = format!(r#"{{"global": {{"override": [{old}, {master}], "content": [{own}]}}}}"#);
    bed.accounts.set_managed_account_data(&alice, &subject, &json(&stored)).await.expect("account data");
    let rules = bed.accounts.push_rules(&alice, &user).await.expect("rules").rules;
    let default = default_rules(&user);
    assert_eq!(rules.override_.len(), default.override_.len());
    assert!(rules.override_.first().is_some_and(|rule| rule.rule_id == ".m.rule.master" && rule.enabled));
    assert_eq!((rules.underride.len(), ids(&rules).as_str()), (default.underride.len(), "a"));
    for damaged in ["{}", r#"{"global": 1}"#, r#"{"global": {"override": {}}}"#] {
        bed.accounts.set_managed_account_data(&alice, &subject, &json(damaged)).await.expect("account data");
        let rules = bed.accounts.push_rules(&alice, &user).await.expect("rules").rules;
        assert_eq!(json!(rules), json!(default), "{damaged}");
        bed.accounts.put_push_rule(&alice, &user, &content("a", "x"), None, None).await.expect("a rule");
    }
}

/// The largest ruleset that can be made is one that can be stored.
#[tokio::test(start_paused = true)]
async fn b9_139_a_large_ruleset_is_refused_as_such() {
    let bed = Bed::new();
    let (alice, user) = (actor(&bed.user("alice").await), id("alice"));
    let long: Action =
        serde_json::from_value(json!({"set_tweak": "sound", "value": "x".repeat(5_000)})).expect("an action");
    let mut made = 0;
    loop {
        let rule =
            NewPatternedPushRule::new(made.to_string(), "x".into(), vec![Action::Notify, long.clone()]);
        match bed.accounts.put_push_rule(&alice, &user, &NewPushRule::Content(rule), None, None).await {
            Ok(()) => made += 1,
            Err(PushRuleError::Edit(EditError::TooMany)) => break,
            Err(other) => panic!("{other}"),
        }
    }
    let row = bed.db.snapshot().get::<AccountData>(&(user, None, KIND.to_owned())).await.expect("a read");
    let size = row.expect("a row").content.0.len();
    assert!(
        (MAX_RULESET_BYTES - 6_000..MAX_RULESET_BYTES + 20).contains(&size),
        "{made} rules, {size} bytes"
    );
}

#[tokio::test(start_paused = true)]
async fn the_ignore_list_is_what_can_be_read_of_it() {
    let bed = Bed::new();
    let (alice, user) = (actor(&bed.user("alice").await), id("alice"));
    let subject = Subject { user: &user, room: None, kind: "m.ignored_user_list" };
    assert_eq!(ignored_users(&bed.db.snapshot(), &user).await.expect("a list"), Default::default());
    let lists = [
        (r#"{"ignored_users": {"@eve:there": {}, "nobody": {}, "@eve:here": 1}}"#, 2),
        (r#"{"ignored_users": ["@eve:there"]}"#, 0),
        (r#"{}"#, 0),
    ];
    for (list, expected) in lists {
        bed.accounts.set_account_data(&alice, &subject, &json(list)).await.expect("account data");
        let found = ignored_users(&bed.db.snapshot(), &user).await.expect("a list");
        assert_eq!((found.users.len(), found.changed.is_some()), (expected, true), "{list}");
    }
}
