//! Events that are sent later (MSC4140), in both dialects.

use http::Method;
use serde_json::{Value, json};

use crate::bed::{Bed, User};
use crate::call::Call;
use crate::chat::{encoded, path, text};

const UNSTABLE: &str = "/_matrix/client/unstable/org.matrix.msc4140/delayed_events";
const KIND: &str = "com.example.test";

async fn room(bed: &Bed, by: &User, members: &[&User]) -> String {
    let levels = json!({ "events": { KIND: 0 } });
    let options = json!({ "preset": "public_chat", "power_level_content_override": levels });
    let room = bed.room(by, options).await;
    for member in members {
        bed.join(member, &room).await.ok();
    }
    room
}

/// State that is set later, in the older dialect.
fn set_later(bed: &Bed, by: &User, room: &str, key: &str, millis: &str) -> Call {
    let path = path("/rooms/{}/state/{}/{}", &[room, KIND, key]);
    bed.put(&format!("{path}?org.matrix.msc4140.delay={millis}")).by(by).json(&json!({ "setter": "later" }))
}

async fn scheduled(bed: &Bed, by: &User) -> Vec<Value> {
    let body = bed.get(UNSTABLE).by(by).await.ok();
    body["delayed_events"].as_array().expect("a list").clone()
}

fn act(bed: &Bed, id: &str, action: &str) -> Call {
    bed.post(&format!("{UNSTABLE}/{id}/{action}")).json(&json!({}))
}

/// What the process does by itself.
async fn send_due(bed: &Bed) {
    bed.api.delayed.catch_up().await.expect("done");
}

fn state(bed: &Bed, by: &User, room: &str, key: &str) -> Call {
    bed.ask(by, Method::GET, "/rooms/{}/state/{}/{}", &[room, KIND, key])
}

#[tokio::test(start_paused = true)]
async fn messages_are_sent_in_order_when_their_time_has_come() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let room = room(&bed, &alice, &[&bob]).await;
    assert_eq!(scheduled(&bed, &alice).await, Vec::<Value>::new());
    let since = text(&bed.get("/_matrix/client/v3/sync").by(&alice).await.ok()["next_batch"]);
    for (count, delay) in [(1, "700"), (2, "800"), (3, "900")] {
        let path = path("/rooms/{}/send/{}/{}", &[&room, KIND, &format!("t{count}")]);
        let path = format!("{path}?org.matrix.msc4140.delay={delay}");
        let answer = bed.put(&path).by(&alice).json(&json!({ "count": count })).await.ok();
        assert_eq!(bed.put(&path).by(&alice).await.ok(), answer, "again, without a body");
        assert_eq!(answer.as_object().map(serde_json::Map::len), Some(1), "no event id: {answer}");
    }
    assert_eq!((scheduled(&bed, &alice).await.len(), scheduled(&bed, &bob).await.len()), (3, 0));
    bed.pass(1).await;
    send_due(&bed).await;
    assert_eq!(scheduled(&bed, &alice).await, Vec::<Value>::new());
    let query =
        format!("/_matrix/client/v3/rooms/{}/messages?dir=f&from={}", encoded(&room), encoded(&since));
    let page = bed.get(&query).by(&alice).await.ok();
    let events = page["chunk"].as_array().expect("a list");
    let counts: Vec<_> = events.iter().map(|event| event["content"].clone()).collect();
    assert_eq!(counts, [json!({ "count": 1 }), json!({ "count": 2 }), json!({ "count": 3 })]);
    assert!(events[0]["unsigned"]["org.matrix.msc4140.delay_id"].is_string(), "{page}");
}

#[tokio::test(start_paused = true)]
async fn state_is_set_later_and_survives_a_restart() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let room = room(&bed, &alice, &[]).await;
    let id = text(&set_later(&bed, &alice, &room, "k", "900").await.ok()["delay_id"]);
    set_later(&bed, &alice, &room, "other", "9900").await.ok();
    let listed = scheduled(&bed, &alice).await.remove(0);
    let now = bed.clock.now().0;
    let expected = json!({ "delay_id": id, "room_id": room, "type": KIND, "state_key": "k", "delay": 900,
        "delay_ms": 900, "running_since": now, "delayed_since_ts": now, "content": { "setter": "later" } });
    assert_eq!(listed, expected);
    state(&bed, &alice, &room, "k").await.refused(404, "M_NOT_FOUND");
    bed.pass(1).await;
    let bed = bed.restarted().await;
    send_due(&bed).await;
    assert_eq!(scheduled(&bed, &alice).await.len(), 1);
    assert_eq!(state(&bed, &alice, &room, "k").await.ok(), json!({ "setter": "later" }));
    let over = bed.get(&format!("/_matrix/client/v1/delayed_events/{id}")).by(&alice).await.ok();
    assert_eq!(over["finalised"]["finalised_ts"], bed.clock.now().0);
    assert!(over["finalised"]["event_id"].is_string() && over.get("delay").is_none(), "{over}");
    let finalised = bed.get(&format!("{UNSTABLE}?status=finalised")).by(&alice).await.ok();
    assert_eq!(finalised["delayed_events"][0]["event_id"], over["finalised"]["event_id"]);
    bed.get(&format!("{UNSTABLE}?status=lost")).by(&alice).await.refused(400, "M_INVALID_PARAM");
    bed.get(&format!("{UNSTABLE}?from=x")).by(&alice).await.refused(400, "M_INVALID_PARAM");
}

#[tokio::test(start_paused = true)]
async fn who_knows_the_name_sends_cancels_and_restarts() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let room = room(&bed, &alice, &[&bob]).await;
    let later = async |key: &str| text(&set_later(&bed, &alice, &room, key, "1500").await.ok()["delay_id"]);
    let (cancelled, sent, restarted) = (later("a").await, later("b").await, later("c").await);
    bed.pass(1).await;
    assert_eq!(act(&bed, &cancelled, "cancel").await.ok(), json!({}));
    act(&bed, &sent, "send").await.ok();
    act(&bed, &restarted, "restart").await.ok();
    assert_eq!(state(&bed, &alice, &room, "b").await.ok(), json!({ "setter": "later" }));
    bed.pass(1).await;
    send_due(&bed).await;
    assert_eq!(scheduled(&bed, &alice).await.len(), 1, "the one that was restarted");
    for (id, done, contrary) in
        [(&cancelled, "cancel", "send"), (&sent, "send", "cancel"), (&sent, "send", "restart")]
    {
        act(&bed, id, done).await.ok();
        act(&bed, id, contrary).await.refused(409, "M_UNKNOWN");
    }
    bed.pass(1).await;
    send_due(&bed).await;
    assert_eq!(state(&bed, &alice, &room, "c").await.ok(), json!({ "setter": "later" }));
    state(&bed, &alice, &room, "a").await.refused(404, "M_NOT_FOUND");

    let former = |id: &str, body: Value| bed.post(&format!("{UNSTABLE}/{id}")).json(&body);
    let id = later("d").await;
    former(&id, json!({ "action": "cancel" })).await.ok();
    former(&id, json!({ "action": "oops" })).await.refused(400, "M_INVALID_PARAM");
    assert!(former(&id, json!({})).await.status.is_client_error());
    act(&bed, "abc", "oops").await.refused(404, "M_UNRECOGNIZED");
    for action in ["send", "cancel", "restart"] {
        act(&bed, "abc", action).await.refused(404, "M_NOT_FOUND");
    }
    bed.get(&format!("{UNSTABLE}/{id}")).by(&bob).await.refused(404, "M_NOT_FOUND");
    bed.get(UNSTABLE).await.refused(401, "M_MISSING_TOKEN");
}

#[tokio::test(start_paused = true)]
async fn the_newer_dialect_has_an_endpoint_of_its_own() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let room = room(&bed, &alice, &[]).await;
    let put = |by: &User, transaction: &str, body: &Value| {
        bed.ask(by, Method::PUT, "/rooms/{}/delayed_event/{}/{}", &[&room, KIND, transaction]).json(body)
    };
    let message = json!({ "delay_ms": 100, "content": { "body": "x" } });
    let id = text(&put(&alice, "1", &message).await.ok()["delay_id"]);
    assert_eq!(put(&alice, "1", &message).await.ok()["delay_id"], id.as_str());
    put(&alice, "2", &json!({ "delay": 100, "state_key": "k", "content": { "setter": "x" } })).await.ok();
    for (body, status, errcode) in [
        (json!({ "content": {} }), 400, "M_MISSING_PARAM"),
        (json!({ "delay_ms": 0, "content": {} }), 400, "M_INVALID_PARAM"),
        (json!({ "delay_ms": -1, "content": {} }), 400, "M_INVALID_PARAM"),
        (json!({ "delay_ms": "1", "content": {} }), 400, "M_INVALID_PARAM"),
        (json!({ "delay_ms": 1, "state_key": 1, "content": {} }), 400, "M_BAD_JSON"),
        (json!({ "delay_ms": 1, "content": [] }), 400, "M_BAD_JSON"),
        (json!({ "delay_ms": 1 }), 400, "M_BAD_JSON"),
    ] {
        bed.without_effect(put(&alice, "3", &body)).await.refused(status, errcode);
    }
    bed.without_effect(put(&bob, "3", &message)).await.refused(403, "M_FORBIDDEN");
    bed.pass(1).await;
    send_due(&bed).await;
    assert_eq!(state(&bed, &alice, &room, "k").await.ok(), json!({ "setter": "x" }));
}

#[tokio::test(start_paused = true)]
async fn limits_are_told_in_the_words_of_each_dialect() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let room = room(&bed, &alice, &[]).await;
    let capabilities = bed.get("/_matrix/client/v3/capabilities").by(&alice).await.ok();
    let limits = json!({ "max_delay_ms": 86_400_000, "max_scheduled": 10 });
    for name in ["m.delayed_events", "org.matrix.msc4140.delayed_events"] {
        assert_eq!(capabilities["capabilities"][name], limits);
    }
    let former = set_later(&bed, &alice, &room, "k", "86400001").await.refused(400, "M_UNKNOWN");
    assert_eq!(former["org.matrix.msc4140.errcode"], "M_MAX_DELAY_EXCEEDED");
    assert_eq!(former["org.matrix.msc4140.max_delay"], 86_400_000);
    let call = bed.ask(&alice, Method::PUT, "/rooms/{}/delayed_event/{}/{}", &[&room, KIND, "1"]);
    let body = json!({ "delay_ms": 86_400_001, "content": {} });
    let newer = call.json(&body).await.refused(400, "M_MAX_DELAY_EXCEEDED");
    assert_eq!(newer["max_delay"], 86_400_000);
    for millis in ["", "x", "-1", "1.5", "9007199254740992"] {
        set_later(&bed, &alice, &room, "k", millis).await.refused(400, "M_INVALID_PARAM");
    }
    for key in 0..10 {
        set_later(&bed, &alice, &room, &key.to_string(), "60000").await.ok();
    }
    let refused = set_later(&bed, &alice, &room, "k", "1").await;
    assert_eq!(refused.header("retry-after"), Some("60"));
    refused.refused(429, "M_LIMIT_EXCEEDED");
}
