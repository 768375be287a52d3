//! `/search`.

use http::Method;
use serde_json::{Value, json};

use crate::bed::{Bed, User};
use crate::call::Call;
use crate::chat::text;

fn call(bed: &Bed, by: &User, next_batch: Option<&str>, criteria: &Value) -> Call {
    let query = next_batch.map(|token| format!("?next_batch={token}")).unwrap_or_default();
    let call = bed.post(&format!("/_matrix/client/v3/search{query}")).by(by);
    call.json(&json!({ "search_categories": { "room_events": criteria } }))
}

async fn search(bed: &Bed, by: &User, criteria: Value) -> Value {
    call(bed, by, None, &criteria).await.ok()["search_categories"]["room_events"].take()
}

fn ids(found: &Value) -> Vec<String> {
    let results = found["results"].as_array().expect("a list");
    results.iter().map(|result| text(&result["result"]["event_id"])).collect()
}

#[tokio::test(start_paused = true)]
async fn an_event_is_found_by_its_body() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let room = bed.room(&alice, json!({ "preset": "private_chat" })).await;
    let event = bed.say(&alice, &room, "hello, world").await;
    let criteria = json!({ "keys": ["content.body"], "search_term": "hello", "filter": { "rooms": [room] } });
    let found = search(&bed, &alice, criteria.clone()).await;
    assert_eq!((&found["count"], &found["highlights"]), (&json!(1), &json!(["hello"])));
    let result = &found["results"][0];
    assert!(result["rank"].as_f64().is_some_and(|rank| rank > 0.0), "{result}");
    assert_eq!((&result["result"]["event_id"], &result["result"]["room_id"]), (&json!(event), &json!(room)));
    assert_eq!(result["result"]["content"]["body"], "hello, world");
    assert_eq!(result["context"], Value::Null, "nobody asked for it");
    assert_eq!(search(&bed, &bob, criteria).await["count"], 0);
}

#[tokio::test(start_paused = true)]
async fn a_result_comes_with_what_stands_around_it() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let room = bed.room(&alice, json!({ "preset": "private_chat" })).await;
    for number in 1..=7 {
        bed.say(&alice, &room, &format!("Message number {number}")).await;
    }
    let found = search(
        &bed,
        &alice,
        json!({
            "keys": ["content.body"], "search_term": "Message 4", "order_by": "recent",
            "filter": { "limit": 1, "rooms": [room] },
            "event_context": { "before_limit": 2, "after_limit": 2, "include_profile": true },
        }),
    )
    .await;
    assert_eq!(found["count"], 1);
    assert!(found["next_batch"].is_string(), "a full page may have another one behind it");
    let context = &found["results"][0]["context"];
    let bodies = |list: &Value| {
        let list = list.as_array().expect("a list");
        list.iter().map(|event| text(&event["content"]["body"])).collect::<Vec<_>>()
    };
    assert_eq!(bodies(&context["events_before"]), ["Message number 3", "Message number 2"]);
    assert_eq!(bodies(&context["events_after"]), ["Message number 5", "Message number 6"]);
    let profile = &context["profile_info"][alice.id.as_str()];
    assert!(profile.is_object(), "{context}");
    // The tokens lead on from there.
    let on = format!("/rooms/{{}}/messages?dir=b&limit=1&from={}", text(&context["start"]));
    let on = bed.ask(&alice, Method::GET, &on, &[&room]).await.ok();
    assert_eq!(on["chunk"][0]["content"]["body"], "Message number 1");
    let on = format!("/rooms/{{}}/messages?dir=f&limit=1&from={}", text(&context["end"]));
    let on = bed.ask(&alice, Method::GET, &on, &[&room]).await.ok();
    assert_eq!(on["chunk"][0]["content"]["body"], "Message number 7");
}

/// What stands around each of many results would be the room many times over.
#[tokio::test(start_paused = true)]
async fn what_stands_around_results_is_bounded() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let room = bed.room(&alice, json!({ "preset": "private_chat" })).await;
    let long = json!({ "msgtype": "m.text", "body": format!("word {}", "x ".repeat(30_000)) });
    for number in 0..30 {
        bed.send(&alice, &room, "m.room.message", &number.to_string(), long.clone()).await;
    }
    let around = json!({ "before_limit": 30, "after_limit": 30 });
    let filter = json!({ "limit": 30, "rooms": [room] });
    let criteria = json!({ "search_term": "word", "filter": filter, "event_context": around });
    let found = search(&bed, &alice, criteria).await;
    assert_eq!(ids(&found).len(), 30);
    let results = found["results"].as_array().expect("a list");
    let with_context = results.iter().filter(|result| result["context"].is_object()).count();
    assert!((1..10).contains(&with_context), "{with_context}");
}

#[tokio::test(start_paused = true)]
async fn pages_follow_each_other_to_an_empty_one() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let room = bed.room(&alice, json!({ "preset": "private_chat" })).await;
    let mut sent = Vec::new();
    for number in 0..20 {
        sent.push(bed.say(&alice, &room, &format!("Message number {number}")).await);
    }
    sent.reverse();
    let criteria = json!({
        "keys": ["content.body"], "search_term": "Message", "order_by": "recent",
        "filter": { "limit": 10, "rooms": [room] },
    });
    let first = search(&bed, &alice, criteria.clone()).await;
    assert_eq!((ids(&first), &first["count"]), (sent[..10].to_vec(), &json!(20)));
    let page = async |token: &Value| {
        let answer = call(&bed, &alice, Some(&text(token)), &criteria).await.ok();
        answer["search_categories"]["room_events"].clone()
    };
    let second = page(&first["next_batch"]).await;
    assert_eq!((ids(&second), &second["count"]), (sent[10..].to_vec(), &json!(20)));
    let third = page(&second["next_batch"]).await;
    assert_eq!(
        (&third["results"], &third["count"], &third["next_batch"]),
        (&json!([]), &json!(20), &Value::Null)
    );
}

#[tokio::test(start_paused = true)]
async fn a_room_and_the_one_that_took_its_place() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    // To an older version, too.
    for version in ["8", "11"] {
        let old = bed.room(&alice, json!({ "preset": "private_chat", "room_version": version })).await;
        let before = bed.say(&alice, &old, "Message before upgrade").await;
        let upgrade = bed.ask(&alice, Method::POST, "/rooms/{}/upgrade", &[&old]);
        let new = text(&upgrade.json(&json!({ "new_version": "9" })).await.ok()["replacement_room"]);
        let after = bed.say(&alice, &new, "Message after upgrade").await;
        for rooms in [json!([old, new]), json!([new])] {
            let criteria =
                json!({ "keys": ["content.body"], "search_term": "upgrade", "filter": { "rooms": rooms } });
            let found = search(&bed, &alice, criteria).await;
            assert_eq!(
                (ids(&found), &found["count"]),
                (vec![before.clone(), after.clone()], &json!(2)),
                "{version}, {rooms}"
            );
        }
    }
}

/// Row 52 of the hostile input, and 84.
#[tokio::test(start_paused = true)]
async fn row_52_and_84_redacted_events_are_not_found() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    for order in ["rank", "recent"] {
        let room = bed.room(&alice, json!({ "preset": "private_chat" })).await;
        let gone = bed.say(&alice, &room, "This message is going to be redacted").await;
        let kept = bed.say(&alice, &room, "This message is not going to be redacted").await;
        let redact = bed.ask(&alice, Method::PUT, "/rooms/{}/redact/{}/{}", &[&room, &gone, order]);
        redact.json(&json!({ "reason": "testing" })).await.ok();
        let criteria = json!({ "search_term": "redacted", "order_by": order, "filter": { "rooms": [room] } });
        let found = search(&bed, &alice, criteria).await;
        assert_eq!((ids(&found), &found["count"]), (vec![kept], &json!(1)));
    }
}

#[tokio::test(start_paused = true)]
async fn results_are_grouped_and_come_with_the_state_of_their_rooms() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let one = bed.public_room(&alice, &[&bob]).await;
    let two = bed.public_room(&alice, &[]).await;
    let first = bed.say(&alice, &one, "cheese 1").await;
    let second = bed.say(&bob, &one, "cheese 2").await;
    let third = bed.say(&alice, &two, "cheese 3").await;
    let criteria = json!({
        "search_term": "cheese", "order_by": "recent", "include_state": true, "filter": { "limit": 3 },
        "groupings": { "group_by": [{ "key": "room_id" }, { "key": "sender" }, { "key": "sender" }] },
    });
    let found = search(&bed, &alice, criteria.clone()).await;
    let groups = &found["groups"];
    assert_eq!(groups["room_id"][&two]["results"], json!([third]));
    assert_eq!(
        (&groups["room_id"][&one]["results"], &groups["room_id"][&one]["order"]),
        (&json!([second, first]), &json!(2))
    );
    assert_eq!(groups["sender"][bob.id.as_str()]["results"], json!([second]));
    let token = text(&groups["room_id"][&one]["next_batch"]);
    let rest = call(&bed, &alice, Some(&token), &criteria).await.ok();
    assert_eq!(rest["search_categories"]["room_events"]["results"], json!([]));
    let state = found["state"].as_object().expect("states");
    assert_eq!(state.keys().count(), 2);
    for (room, members) in [(&one, 2), (&two, 1)] {
        let events = state[room].as_array().expect("a state");
        assert_eq!(events.iter().filter(|event| event["type"] == "m.room.member").count(), members);
        assert!(events.iter().any(|event| event["type"] == "m.room.create"));
    }
    let nothing = json!({ "search_term": "nothing", "include_state": true });
    assert_eq!(search(&bed, &alice, nothing).await["state"], json!({}));
}

/// Row 141 of the hostile input: a term is words, a filter is bounded.
#[tokio::test(start_paused = true)]
async fn row_141_what_is_no_search_is_refused_and_what_looks_like_a_query_is_words() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let room = bed.room(&alice, json!({ "preset": "private_chat" })).await;
    bed.say(&alice, &room, "plain words").await;
    for term in
        ["*", "text:plain", "plain OR secret", "-words", "\"", "[a TO z]", "/.*/", "%", "sender:alice"]
    {
        let found = search(&bed, &alice, json!({ "search_term": term })).await;
        let expected = u64::from(term == "-words");
        assert_eq!(found["count"], expected, "{term}");
        assert_eq!(search(&bed, &bob, json!({ "search_term": term })).await["count"], 0);
    }
    for criteria in [
        json!({}),
        json!({ "search_term": 1 }),
        json!({ "search_term": "a", "keys": ["content.secret"] }),
        json!({ "search_term": "a", "order_by": "size" }),
        json!({ "search_term": "a", "groupings": { "group_by": [{ "key": "type" }] } }),
        json!({ "search_term": "a", "event_context": { "before_limit": -1 } }),
    ] {
        call(&bed, &alice, None, &criteria).await.refused(400, "M_BAD_JSON");
    }
    let criteria = json!({ "search_term": "plain" });
    call(&bed, &alice, Some("x"), &criteria).await.refused(400, "M_INVALID_PARAM");
    let many = json!({ "search_term": "plain", "filter": { "rooms": vec![room; 2_000] } });
    call(&bed, &alice, None, &many).await.refused(400, "M_INVALID_PARAM");
    let none =
        bed.post("/_matrix/client/v3/search").by(&alice).json(&json!({ "search_categories": {} })).await;
    assert_eq!(none.ok(), json!({ "search_categories": {} }));
}

#[tokio::test(start_paused = true)]
async fn a_restart_forgets_nothing() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let room = bed.room(&alice, json!({ "preset": "private_chat" })).await;
    let event = bed.say(&alice, &room, "remember me").await;
    let bed = bed.restarted().await;
    assert_eq!(ids(&search(&bed, &alice, json!({ "search_term": "remember" })).await), [event]);
}
