//! Push rules over HTTP.

use serde_json::{Value, json};

use crate::bed::Bed;

const ALL: &str = "/_matrix/client/v3/pushrules/";

fn rule(kind: &str, id: &str) -> String {
    format!("{ALL}global/{kind}/{id}")
}

/// The ids of the rules of a kind, most important first.
async fn ids(bed: &Bed, user: &crate::bed::User, kind: &str) -> Vec<String> {
    let rules = bed.get(ALL).by(user).await.ok()["global"][kind].clone();
    let rules = rules.as_array().expect("a list").iter();
    rules.map(|rule| rule["rule_id"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn every_user_has_the_default_rules_from_the_start() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let rules = bed.get(ALL).by(&alice).await.ok();
    assert_eq!(rules["global"]["override"][0]["rule_id"], ".m.rule.master");
    for kind in ["content", "room", "sender"] {
        assert_eq!(rules["global"][kind], json!([]), "{kind}");
    }
    assert_eq!(bed.get("/_matrix/client/v3/pushrules").by(&alice).await.ok(), rules);
    assert_eq!(bed.get("/_matrix/client/r0/pushrules/").by(&alice).await.ok(), rules);
    for path in ["global", "global/"] {
        assert_eq!(bed.get(&format!("{ALL}{path}")).by(&alice).await.ok(), rules["global"]);
    }
    let account_data = "/_matrix/client/v3/user/@alice:plop.example/account_data/m.push_rules";
    assert_eq!(bed.get(account_data).by(&alice).await.ok(), rules);
    let bob = bed.user("bob").await;
    bed.get(account_data).by(&bob).await.refused(403, "M_FORBIDDEN");
}

#[tokio::test(start_paused = true)]
async fn rules_of_each_kind_are_made_changed_and_deleted() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let match_type = json!([{ "kind": "event_match", "key": "type", "pattern": "m.room.*" }]);
    for (kind, id, body) in [
        ("override", "own", json!({ "actions": ["notify"], "conditions": match_type })),
        ("override", "bare", json!({ "actions": [] })),
        ("underride", "own", json!({ "actions": ["notify", { "set_tweak": "sound", "value": "bing" }] })),
        ("content", "cake", json!({ "actions": ["notify"], "pattern": "cake*lie" })),
        ("room", "!room:plop.example", json!({ "actions": [] })),
        ("sender", "@bob:plop.example", json!({ "actions": [] })),
    ] {
        let path = rule(kind, id);
        bed.get(&path).by(&alice).await.refused(404, "M_NOT_FOUND");
        assert_eq!(bed.put(&path).by(&alice).json(&body).await.ok(), json!({}));
        let made = bed.get(&path).by(&alice).await.ok();
        assert_eq!(
            (&made["rule_id"], &made["enabled"], &made["default"]),
            (&json!(id), &json!(true), &json!(false))
        );
        assert_eq!(made["actions"], body["actions"]);
        assert_eq!(bed.get(&format!("{path}/enabled")).by(&alice).await.ok(), json!({ "enabled": true }));
        bed.put(&format!("{path}/enabled")).by(&alice).json(&json!({ "enabled": false })).await.ok();
        let highlight = json!({ "actions": ["notify", { "set_tweak": "highlight" }] });
        bed.put(&format!("{path}/actions")).by(&alice).json(&highlight).await.ok();
        assert_eq!(bed.get(&format!("{path}/actions")).by(&alice).await.ok(), highlight);
        assert_eq!(bed.restarted().await.get(&path).by(&alice).await.ok()["enabled"], false);
        assert_eq!(bed.delete(&path).by(&alice).await.ok(), json!({}));
        bed.delete(&path).by(&alice).await.refused(404, "M_NOT_FOUND");
    }
}

#[tokio::test(start_paused = true)]
async fn a_rule_goes_where_it_is_asked_to() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let put = |id: &str, place: &str| {
        let path = format!("{}{place}", rule("content", id));
        bed.put(&path).by(&alice).json(&json!({ "actions": [], "pattern": "x" }))
    };
    put("a", "").await.ok();
    put("b", "").await.ok();
    put("c", "?after=b").await.ok();
    put("d", "?before=b").await.ok();
    let order = ids(&bed, &alice, "content").await;
    let own: Vec<_> = order.iter().filter(|id| !id.starts_with('.')).collect();
    assert_eq!(own, ["d", "b", "c", "a"]);
    put("e", "?after=nowhere").await.refused(400, "M_UNKNOWN");
    put("e", "?before=.m.rule.contains_user_name").await.refused(400, "M_INVALID_PARAM");
    put("e", "?after=a&before=d").await.refused(400, "M_UNKNOWN");
}

#[tokio::test(start_paused = true)]
async fn the_servers_rules_can_be_switched_and_not_deleted() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let master = rule("override", ".m.rule.master");
    assert_eq!(bed.get(&format!("{master}/enabled")).by(&alice).await.ok(), json!({ "enabled": false }));
    bed.put(&format!("{master}/enabled")).by(&alice).json(&json!({ "enabled": true })).await.ok();
    assert_eq!(bed.get(&format!("{master}/enabled")).by(&alice).await.ok(), json!({ "enabled": true }));
    bed.delete(&master).by(&alice).await.refused(400, "M_INVALID_PARAM");
    bed.put(&master).by(&alice).json(&json!({ "actions": [] })).await.refused(400, "M_INVALID_PARAM");
}

/// Row 139 of the hostile input, at the edge.
#[tokio::test(start_paused = true)]
async fn b9_139_what_is_no_rule_is_refused() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let before = bed.get(ALL).by(&alice).await.ok();
    let some: Value = json!({ "actions": ["notify"], "pattern": "x" });
    for (kind, id, body, status, errcode) in [
        ("content", "a", json!({ "actions": [] }), 400, "M_MISSING_PARAM"),
        ("content", "a", json!({ "pattern": "x" }), 400, "M_BAD_JSON"),
        ("content", "a", json!({ "actions": "notify", "pattern": "x" }), 400, "M_BAD_JSON"),
        ("content", "a", json!({ "actions": [], "pattern": 5 }), 400, "M_BAD_JSON"),
        ("content", "a", json!({ "actions": [], "pattern": "*a".repeat(30_000) }), 413, "M_TOO_LARGE"),
        ("override", "a", json!({ "actions": [], "conditions": [5] }), 400, "M_BAD_JSON"),
        ("room", "noroom", some.clone(), 400, "M_INVALID_PARAM"),
        ("sender", "nobody", some.clone(), 400, "M_INVALID_PARAM"),
        ("unknown", "a", some.clone(), 400, "M_INVALID_PARAM"),
        ("content", "a%2Fb", some.clone(), 400, "M_INVALID_PARAM"),
        ("content", &"x".repeat(256), some.clone(), 400, "M_INVALID_PARAM"),
    ] {
        bed.put(&rule(kind, id)).by(&alice).json(&body).await.refused(status, errcode);
    }
    bed.put(&rule("content", "a")).by(&alice).text("{").await.refused(400, "M_NOT_JSON");
    bed.get(&rule("unknown", "a")).by(&alice).await.refused(404, "M_NOT_FOUND");
    let enabled = format!("{}/enabled", rule("content", "nothing"));
    bed.get(&enabled).by(&alice).await.refused(404, "M_NOT_FOUND");
    bed.put(&enabled).by(&alice).json(&json!({ "enabled": true })).await.refused(404, "M_NOT_FOUND");
    bed.put(&enabled).by(&alice).json(&json!({ "enabled": "yes" })).await.refused(400, "M_BAD_JSON");
    assert_eq!(bed.get(ALL).by(&alice).await.ok(), before);
    for number in 0..256 {
        bed.put(&rule("content", &format!("r{number}"))).by(&alice).json(&some).await.ok();
    }
    bed.put(&rule("content", "more")).by(&alice).json(&some).await.refused(413, "M_TOO_LARGE");
}

/// "Historical Actions": they mean nothing, and are there for who wrote them.
#[tokio::test(start_paused = true)]
async fn an_action_without_meaning_is_kept() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let own = rule("sender", "@alice:plop.example");
    bed.put(&own).by(&alice).json(&json!({ "actions": ["dont_notify"] })).await.ok();
    for _ in 0..2 {
        let rules = bed.get(ALL).by(&alice).await.ok();
        assert_eq!(rules["global"]["sender"][0]["actions"], json!(["dont_notify"]));
    }
}

#[tokio::test(start_paused = true)]
async fn each_change_of_a_rule_ends_a_wait() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let own = rule("room", "!foo:example.com");
    let global = |answer: &Value| {
        let events = answer["account_data"]["events"].as_array().expect("events").iter();
        let mut rules = events.filter(|event| event["type"] == "m.push_rules");
        rules.next().expect("the rules")["content"]["global"].clone()
    };
    let mut synced = bed.get("/_matrix/client/v3/sync").by(&alice).await.ok();
    assert!(global(&synced)["override"].is_array());
    for (path, body) in [
        (own.clone(), json!({ "actions": ["notify"] })),
        (format!("{own}/enabled"), json!({ "enabled": false })),
        (format!("{own}/enabled"), json!({ "enabled": true })),
        (format!("{own}/actions"), json!({ "actions": ["dont_notify"] })),
    ] {
        let since = synced["next_batch"].as_str().expect("a token");
        let wait = bed.get(&format!("/_matrix/client/v3/sync?timeout=10000&since={since}")).by(&alice);
        let started = bed.clock.monotonic();
        let change = async {
            bed.pass(1).await;
            bed.put(&path).by(&alice).json(&body).await.ok()
        };
        let (answer, _) = tokio::join!(wait.into_future(), change);
        assert_eq!(bed.clock.monotonic().saturating_sub(started).as_secs(), 1, "{path}");
        synced = answer.ok();
        assert_eq!(global(&synced)["room"][0]["rule_id"], "!foo:example.com");
    }
}
