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

#[tokio::test(start_paused = true)]
async fn what_is_no_filter_is_refused_wherever_it_stands() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let path = format!("{OF_ALICE}/filter");
    let of_timeline = |name: &str, value: Value| json!({ "room": { "timeline": { name: value } } });
    let mut filters = vec![json!({ "presence": "x" })];
    for part in ["timeline", "state", "ephemeral", "account_data"] {
        filters.push(json!({ "room": { part: "x" } }));
    }
    for list in ["rooms", "not_rooms", "senders", "not_senders", "types", "not_types"] {
        filters.push(of_timeline(list, json!("x")));
        filters.push(of_timeline(list, json!([1])));
    }
    for (list, id) in [("rooms", "no room"), ("senders", "no sender")] {
        filters.push(of_timeline(list, json!([id])));
    }
    for filter in filters {
        bed.post(&path).by(&alice).json(&filter).await.refused(400, "M_BAD_JSON");
    }
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

/// MSC3391: by a request of its own, or by an empty object.
#[tokio::test(start_paused = true)]
async fn what_is_deleted_is_told_once_and_then_there_is_none() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let room = bed.room(&alice, json!({})).await;
    let base = format!("user/{}/account_data/org.example.test", alice.id);
    let of_room = format!("user/{}/rooms/{room}/account_data/org.example.test", alice.id);
    let sync = async |since: &str| {
        let answer = bed.get(&format!("/_matrix/client/v3/sync?since={since}")).by(&alice).await.ok();
        let next = answer["next_batch"].as_str().expect("a token").to_owned();
        let parts =
            [&answer["account_data"]["events"], &answer["rooms"]["join"][&room]["account_data"]["events"]];
        let events = parts.into_iter().filter_map(Value::as_array).flatten();
        let told =
            events.filter(|event| event["type"] == "org.example.test").map(|event| event["content"].clone());
        (next, told.collect::<Vec<_>>())
    };
    let mut since = sync("").await.0;
    for path in [base, of_room] {
        let stable = format!("/_matrix/client/v3/{path}");
        let deletion = format!("/_matrix/client/unstable/org.matrix.msc3391/{path}");
        for by_request in [true, false] {
            let content = json!({ "test_data": 1 });
            bed.put(&stable).by(&alice).json(&content).await.ok();
            let (next, told) = sync(&since).await;
            assert_eq!((told, bed.get(&stable).by(&alice).await.ok()), (vec![content.clone()], content));
            if by_request {
                assert_eq!(bed.delete(&deletion).by(&alice).await.ok(), json!({}));
                bed.without_effect(bed.delete(&deletion).by(&alice)).await.ok();
            } else {
                bed.put(&stable).by(&alice).json(&json!({})).await.ok();
            }
            let told;
            (since, told) = sync(&next).await;
            assert_eq!(told, [json!({})]);
            bed.get(&stable).by(&alice).await.refused(404, "M_NOT_FOUND");
            assert_eq!(sync("").await.1, Vec::<Value>::new(), "who starts anew");
        }
    }
    let other = bed.user("bob").await;
    let of_alice = format!("/_matrix/client/unstable/org.matrix.msc3391/user/{}/account_data", alice.id);
    bed.delete(&format!("{of_alice}/a")).by(&other).await.refused(403, "M_FORBIDDEN");
    bed.delete(&format!("{of_alice}/m.push_rules")).by(&alice).await.refused(405, "M_BAD_JSON");
}

/// MSC3890.
#[tokio::test(start_paused = true)]
async fn the_settings_of_a_device_end_with_it() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let log_in = async || {
        let login = json!({ "type": "m.login.password", "password": crate::bed::PASSWORD, "device_id": "LAPTOP",
            "identifier": { "type": "m.id.user", "user": "alice" } });
        bed.post("/_matrix/client/v3/login").json(&login).await.ok()["access_token"]
            .as_str()
            .expect("a token")
            .to_owned()
    };
    let of = |device: &str| of_user(&format!("org.matrix.msc3890.local_notification_settings.{device}"));
    let silenced = json!({ "is_silenced": true });
    for _ in 0..2 {
        let token = log_in().await;
        for device in ["LAPTOP", "PHONE"] {
            bed.put(&of(device)).by(&alice).json(&silenced).await.ok();
        }
        let synced = bed.get("/_matrix/client/v3/sync").by(&alice).await.ok();
        bed.post("/_matrix/client/v3/logout").token(&token).await.ok();
        bed.get(&of("LAPTOP")).by(&alice).await.refused(404, "M_NOT_FOUND");
        assert_eq!(bed.get(&of("PHONE")).by(&alice).await.ok(), silenced);
        let since = synced["next_batch"].as_str().expect("a token");
        let news = bed.get(&format!("/_matrix/client/v3/sync?since={since}")).by(&alice).await.ok();
        let told =
            json!([{ "type": "org.matrix.msc3890.local_notification_settings.LAPTOP", "content": {} }]);
        assert_eq!(news["account_data"]["events"], told);
    }
}
