//! `GET /notifications`.

use http::Method;
use serde_json::{Value, json};

use crate::bed::{Bed, User};
use crate::call::Call;
use crate::chat::{encoded, text};

fn notifications(bed: &Bed, by: &User, query: &str) -> Call {
    bed.get(&format!("/_matrix/client/v3/notifications?{query}")).by(by)
}

/// What was said in the events.
fn said(page: &Value) -> Vec<String> {
    let listed = page["notifications"].as_array().expect("a list").iter();
    listed.map(|notification| text(&notification["event"]["content"]["body"])).collect()
}

async fn mention(bed: &Bed, by: &User, room: &str, whom: &User, body: &str) -> String {
    let content = json!({ "msgtype": "m.text", "body": body, "m.mentions": { "user_ids": [whom.id] } });
    bed.send(by, room, "m.room.message", body, content).await
}

#[tokio::test(start_paused = true)]
async fn they_come_newest_first_over_all_rooms() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let one = bed.public_room(&alice, &[]).await;
    bed.say(&alice, &one, "before bob came").await;
    bed.join(&bob, &one).await.ok();
    bed.pass(1).await;
    let two = bed.public_room(&alice, &[&bob]).await;
    assert_eq!(notifications(&bed, &bob, "").await.ok(), json!({ "notifications": [] }));
    for index in 0..6 {
        let room = if index % 2 == 0 { &one } else { &two };
        bed.say(&alice, room, &format!("a{index}")).await;
    }
    let read = bed.say(&alice, &two, "b").await;
    mention(&bed, &alice, &one, &bob, "hey bob").await;
    bed.say(&bob, &two, "my own").await;
    bed.set(&alice, &one, "m.room.topic", json!({ "topic": "silent" })).await;
    let all = notifications(&bed, &bob, "limit=50").await.ok();
    assert_eq!(said(&all), ["hey bob", "b", "a5", "a4", "a3", "a2", "a1", "a0"]);
    assert_eq!(all.get("next_token"), None);
    let first = &all["notifications"][0];
    assert_eq!((&first["room_id"], &first["read"]), (&json!(one), &json!(false)));
    assert_eq!(first["actions"][0], "notify");
    assert_eq!(
        (first["ts"].clone(), first["event"].get("room_id")),
        (first["event"]["origin_server_ts"].clone(), None)
    );
    // Whoever sends has read up to there.
    assert_eq!(
        (&all["notifications"][1]["read"], &all["notifications"][1]["event"]["event_id"]),
        (&json!(true), &json!(read))
    );
    let (mut paged, mut query) = (Vec::new(), "limit=3".to_owned());
    loop {
        let page = notifications(&bed, &bob, &query).await.ok();
        paged.extend(said(&page));
        let Some(next) = page.get("next_token") else { break };
        query = format!("limit=3&from={}", encoded(&text(next)));
    }
    assert_eq!(paged, said(&all));
    assert_eq!(said(&notifications(&bed, &bob, "only=highlight").await.ok()), ["hey bob"]);
    assert!(said(&notifications(&bed, &alice, "").await.ok()).contains(&"my own".to_owned()));
    for query in ["from=x", "from=n1_00", "only=x", "limit=-1", "limit=x"] {
        notifications(&bed, &bob, query).await.refused(400, "M_INVALID_PARAM");
    }
}

#[tokio::test(start_paused = true)]
async fn they_follow_the_rules_as_they_are() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let one = bed.public_room(&alice, &[&bob]).await;
    bed.pass(1).await;
    let two = bed.public_room(&alice, &[&bob]).await;
    bed.say(&alice, &one, "some cake").await;
    let gone = bed.say(&alice, &one, "gone").await;
    bed.say(&alice, &two, "tea").await;
    bed.ask(&alice, Method::PUT, "/rooms/{}/redact/{}/t", &[&one, &gone]).json(&json!({})).await.ok();
    let now = async |query: &str| said(&notifications(&bed, &bob, query).await.ok());
    assert_eq!(now("").await, ["tea", "some cake"], "what was redacted notifies nobody");
    let rule =
        json!({ "actions": [], "conditions": [{ "kind": "event_match", "key": "room_id", "pattern": two }] });
    bed.ask(&bob, Method::PUT, "/pushrules/global/override/{}", &[&two]).json(&rule).await.ok();
    assert_eq!(now("").await, ["some cake"], "a muted room");
    let loud = json!({ "pattern": "cake", "actions": ["notify", { "set_tweak": "highlight" }] });
    bed.ask(&bob, Method::PUT, "/pushrules/global/content/cake", &[]).json(&loud).await.ok();
    assert_eq!(now("only=highlight").await, ["some cake"]);
    let ignored = json!({ "ignored_users": { (alice.id.as_str()): {} } });
    let path = "/user/{}/account_data/m.ignored_user_list";
    bed.ask(&bob, Method::PUT, path, &[bob.id.as_str()]).json(&ignored).await.ok();
    assert!(now("").await.is_empty());
    bed.leave(&bob, &one).await.ok();
    assert!(now("").await.is_empty());
}

/// MSC4306: the kind is the server's; MSC3930: the rules of polls are there.
#[tokio::test(start_paused = true)]
async fn the_servers_rules_about_threads_and_polls_are_there() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let rule = "/pushrules/global/io.element.msc4306.postcontent/{}";
    let unsubscribed = ".io.element.msc4306.rule.unsubscribed_thread";
    let get = async |template: &str, id: &str| bed.ask(&alice, Method::GET, template, &[id]).await.ok();
    assert_eq!(get(rule, unsubscribed).await["enabled"], false);
    let enabled = format!("{rule}/enabled");
    bed.ask(&alice, Method::PUT, &enabled, &[unsubscribed]).json(&json!({ "enabled": true })).await.ok();
    assert_eq!(get(rule, unsubscribed).await["enabled"], true);
    assert_eq!(get(rule, ".io.element.msc4306.rule.subscribed_thread").await["enabled"], true);
    let own = json!({ "actions": ["notify"], "conditions": [] });
    bed.ask(&alice, Method::PUT, rule, &["own"]).json(&own).await.refused(400, "M_INVALID_PARAM");
    bed.ask(&alice, Method::DELETE, rule, &[unsubscribed]).await.refused(400, "M_INVALID_PARAM");
    for id in ["poll_start_one_to_one", "poll_start", "poll_end_one_to_one", "poll_end"] {
        let rule = get("/pushrules/global/underride/{}", &format!(".org.matrix.msc3930.rule.{id}")).await;
        assert_eq!((&rule["default"], &rule["enabled"]), (&json!(true), &json!(true)), "{rule}");
    }
    let silent = get("/pushrules/global/override/{}", ".org.matrix.msc3930.rule.poll_response").await;
    assert_eq!(silent["actions"], json!([]));
}

/// MSC3930, with the names of MSC3381 as clients have them in use.
#[tokio::test(start_paused = true)]
async fn the_rules_of_polls_are_as_proposed() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let rule = |name: &str| format!(".org.matrix.msc3930.rule.{name}");
    let loud = json!(["notify", { "set_tweak": "sound", "value": "default" }]);
    for (kind, name, event, actions, is_of_two) in [
        ("override", "poll_response", "response", json!([]), false),
        ("underride", "poll_start_one_to_one", "start", loud.clone(), true),
        ("underride", "poll_end_one_to_one", "end", loud, true),
        ("underride", "poll_start", "start", json!(["notify"]), false),
        ("underride", "poll_end", "end", json!(["notify"]), false),
    ] {
        let call = bed.ask(&alice, Method::GET, "/pushrules/global/{}/{}", &[kind, &rule(name)]);
        let found = call.await.ok();
        assert_eq!(
            (&found["actions"], &found["default"], &found["enabled"]),
            (&actions, &json!(true), &json!(true))
        );
        let conditions = found["conditions"].as_array().expect("conditions");
        assert_eq!(conditions.len(), 1 + usize::from(is_of_two));
        let of_type = conditions.iter().find(|condition| condition["key"] == "type").expect("a condition");
        let named = match of_type["kind"].as_str() {
            Some("event_match") => &of_type["pattern"],
            _ => &of_type["value"],
        };
        assert_eq!(named, &json!(format!("org.matrix.msc3381.poll.{event}")), "{found}");
        let of_two = conditions
            .iter()
            .any(|condition| condition["kind"] == "room_member_count" && condition["is"] == "2");
        assert_eq!(of_two, is_of_two);
    }
    let all = bed.ask(&alice, Method::GET, "/pushrules/", &[]).await.ok();
    let underride = all["global"]["underride"].as_array().expect("rules");
    let place = |name: &str| underride.iter().position(|found| found["rule_id"] == json!(rule(name)));
    assert!(place("poll_start_one_to_one") < place("poll_start"));
    assert!(place("poll_end_one_to_one") < place("poll_end"));
}
