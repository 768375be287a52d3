//! Account data, tags and filters over HTTP.

use serde_json::{Value, json};

use crate::bed::{Bed, MOST_BYTES};

const OF_ALICE: &str = "/_matrix/client/v3/user/@alice:plop.example";
const ROOM: &str = "!room:plop.example";

fn of_user(kind: &str) -> String {
    format!("{OF_ALICE}/account_data/{kind}")
}

fn of_room(kind: &str) -> String {
    format!("{OF_ALICE}/rooms/{ROOM}/account_data/{kind}")
}

#[tokio::test(start_paused = true)]
async fn account_data_is_kept_whole_by_user_and_by_room() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let content = json!({ "@bob:plop.example": ["!a:plop.example"], "unknown": { "kept": [1, "2", null] } });
    for path in [of_user("m.direct"), of_room("m.direct")] {
        bed.get(&path).by(&alice).await.refused(404, "M_NOT_FOUND");
        assert_eq!(bed.put(&path).by(&alice).json(&content).await.ok(), json!({}));
        let answer = bed.get(&path).by(&alice).await;
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.ok(), content);
    }
    let slash = of_user("a%2Fb%20%C3%A9");
    bed.put(&slash).by(&alice).json(&content).await.ok();
    assert_eq!(bed.restarted().await.get(&slash).by(&alice).await.ok(), content);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_kept_is_refused() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    for path in [of_user("a"), of_room("a")] {
        let put = |body: String| bed.put(&path).by(&alice).text(body);
        put(String::new()).await.refused(400, "M_NOT_JSON");
        put("{".to_owned()).await.refused(400, "M_NOT_JSON");
        put("[]".to_owned()).await.refused(400, "M_BAD_JSON");
        put("\"text\"".to_owned()).await.refused(400, "M_BAD_JSON");
        put(format!(r#"{{"a":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000)))
            .await
            .refused(400, "M_NOT_JSON");
        put(format!(r#"{{"a":"{}"}}"#, "x".repeat(65_530))).await.refused(413, "M_TOO_LARGE");
        put(format!(r#"{{"a":"{}"}}"#, "x".repeat(MOST_BYTES))).await.refused(413, "M_TOO_LARGE");
        bed.get(&path).by(&alice).await.refused(404, "M_NOT_FOUND");
    }
    for path in [of_user(&"x".repeat(256)), of_room(&"x".repeat(256))] {
        bed.put(&path).by(&alice).json(&json!({})).await.refused(400, "M_INVALID_PARAM");
    }
    for kind in ["m.fully_read", "m.push_rules"] {
        for path in [of_user(kind), of_room(kind)] {
            bed.put(&path).by(&alice).json(&json!({})).await.refused(405, "M_BAD_JSON");
        }
    }
    let no_room = format!("{OF_ALICE}/rooms/@room:plop.example/account_data/a");
    bed.put(&no_room).by(&alice).json(&json!({})).await.refused(400, "M_INVALID_PARAM");
    bed.get(&no_room).by(&alice).await.refused(400, "M_INVALID_PARAM");
}

#[tokio::test(start_paused = true)]
async fn tags_are_set_one_by_one_and_kept_whole() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let tags = format!("{OF_ALICE}/rooms/{ROOM}/tags");
    let tag = |name: &str| format!("{tags}/{name}");
    assert_eq!(bed.get(&tags).by(&alice).await.ok(), json!({ "tags": {} }));
    let (favourite, work) = (json!({ "order": 0.25, "unknown": "kept" }), json!({}));
    assert_eq!(bed.put(&tag("m.favourite")).by(&alice).json(&favourite).await.ok(), json!({}));
    bed.put(&tag("u.work")).by(&alice).json(&work).await.ok();
    let expected = json!({ "tags": { "m.favourite": favourite, "u.work": work } });
    assert_eq!(bed.get(&tags).by(&alice).await.ok(), expected);
    assert_eq!(bed.get(&of_room("m.tag")).by(&alice).await.ok(), expected);
    for _ in 0..2 {
        assert_eq!(bed.delete(&tag("u.work")).by(&alice).await.ok(), json!({}));
    }
    assert_eq!(bed.get(&tags).by(&alice).await.ok(), json!({ "tags": { "m.favourite": favourite } }));
    for (name, body, status, errcode) in [
        ("u.a", "", 400, "M_NOT_JSON"),
        ("u.a", "[]", 400, "M_BAD_JSON"),
        ("u.a", r#"{"order":2}"#, 400, "M_INVALID_PARAM"),
        ("u.a", r#"{"order":"first"}"#, 400, "M_INVALID_PARAM"),
        (&"x".repeat(256), "{}", 400, "M_INVALID_PARAM"),
    ] {
        bed.put(&tag(name)).by(&alice).text(body.to_owned()).await.refused(status, errcode);
    }
}

#[tokio::test(start_paused = true)]
async fn a_filter_is_kept_whole_under_one_id() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let path = format!("{OF_ALICE}/filter");
    let filter = json!({
        "room": { "timeline": { "limit": 10, "org.matrix.unknown": true }, "state": { "lazy_load_members": true } },
        "unknown": { "kept": [] },
    });
    let id = bed.post(&path).by(&alice).json(&filter).await.ok()["filter_id"].clone();
    assert_eq!(bed.post(&path).by(&alice).json(&filter).await.ok()["filter_id"], id);
    let stored = format!("{path}/{}", id.as_str().expect("an id"));
    assert_eq!(bed.restarted().await.get(&stored).by(&alice).await.ok(), filter);
    bed.get(&format!("{path}/0")).by(&alice).await.refused(404, "M_NOT_FOUND");
    for (body, status, errcode) in [
        (json!([]), 400, "M_BAD_JSON"),
        (json!({ "room": 5 }), 400, "M_BAD_JSON"),
        (json!({ "room": { "timeline": { "limit": "ten" } } }), 400, "M_BAD_JSON"),
        (json!({ "room": { "rooms": vec![ROOM; 5_000] } }), 413, "M_TOO_LARGE"),
    ] {
        bed.post(&path).by(&alice).json(&body).await.refused(status, errcode);
    }
    bed.post(&path).by(&alice).text("{").await.refused(400, "M_NOT_JSON");
    for number in 1..500 {
        bed.post(&path).by(&alice).json(&json!({ "event_fields": [number.to_string()] })).await.ok();
    }
    bed.post(&path).by(&alice).json(&json!({ "event_fields": ["more"] })).await.refused(413, "M_TOO_LARGE");
    bed.post(&path).by(&alice).json(&filter).await.ok();
}

/// Rows 83 and 87 of the hostile input.
#[tokio::test(start_paused = true)]
async fn b4_83_87_nobody_sees_or_changes_what_another_keeps() {
    let bed = Bed::new().await;
    let (alice, bob) = (bed.user("alice").await, bed.user("bob").await);
    let secret = json!({ "secret": true });
    for path in [of_user("a"), of_room("a"), format!("{OF_ALICE}/rooms/{ROOM}/tags/u.secret")] {
        bed.put(&path).by(&alice).json(&secret).await.ok();
    }
    let filters = format!("{OF_ALICE}/filter");
    let filter = bed.post(&filters).by(&alice).json(&json!({ "event_fields": ["a"] })).await.ok();
    let filter = filter["filter_id"].as_str().expect("an id").to_owned();
    let tags = format!("{OF_ALICE}/rooms/{ROOM}/tags");
    for path in [of_user("a"), of_user("b"), of_room("a"), tags.clone(), format!("{filters}/{filter}")] {
        bed.get(&path).by(&bob).await.refused(403, "M_FORBIDDEN");
    }
    for path in [of_user("a"), of_room("a"), format!("{tags}/u.secret")] {
        bed.put(&path).by(&bob).json(&Value::Object(Default::default())).await.refused(403, "M_FORBIDDEN");
    }
    bed.delete(&format!("{tags}/u.secret")).by(&bob).await.refused(403, "M_FORBIDDEN");
    bed.post(&filters).by(&bob).json(&json!({})).await.refused(403, "M_FORBIDDEN");
    // Alice's filter is no filter of bob's.
    let own = format!("/_matrix/client/v3/user/@bob:plop.example/filter/{filter}");
    bed.get(&own).by(&bob).await.refused(404, "M_NOT_FOUND");
    assert_eq!(bed.get(&of_user("a")).by(&alice).await.ok(), secret);
}
