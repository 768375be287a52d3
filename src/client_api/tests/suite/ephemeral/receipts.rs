//! `POST /rooms/{roomId}/receipt/{receiptType}/{eventId}` and `/rooms/{roomId}/read_markers`.

use http::Method;
use plop_ephemeral::PresenceState;
use serde_json::{Value, json};

use crate::bed::{Bed, User};
use crate::call::Call;
use crate::chat::text;

fn receipt(bed: &Bed, by: &User, room: &str, kind: &str, event: &str) -> Call {
    bed.ask(by, Method::POST, "/rooms/{}/receipt/{}/{}", &[room, kind, event])
}

/// The receipts of a room as a user sees them.
async fn seen(bed: &Bed, by: &User, room: &str) -> Value {
    let body = bed.get("/_matrix/client/v3/sync").by(by).await.ok();
    let events = body["rooms"]["join"][room]["ephemeral"]["events"].as_array().cloned().unwrap_or_default();
    // An event for each thread.
    let receipts = events.into_iter().filter(|event| event["type"] == "m.receipt");
    receipts.filter_map(|event| event["content"].as_object().cloned()).flatten().collect()
}

async fn fully_read(bed: &Bed, by: &User, room: &str) -> Call {
    bed.ask(by, Method::GET, "/user/{}/rooms/{}/account_data/m.fully_read", &[by.id.as_str(), room])
}

async fn reply(bed: &Bed, by: &User, room: &str, root: &str, kind: &str) -> String {
    let call =
        bed.ask(by, Method::PUT, "/rooms/{}/send/m.room.message/{}", &[room, &format!("{kind} {root}")]);
    let relation = json!({ "rel_type": kind, "event_id": root });
    text(
        &call.json(&json!({ "msgtype": "m.text", "body": "x", "m.relates_to": relation })).await.ok()["event_id"],
    )
}

#[tokio::test(start_paused = true)]
async fn a_receipt_is_shown_to_the_room() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let room = bed.public_room(&alice, &[&bob]).await;
    let event = bed.say(&alice, &room, "hi").await;
    assert_eq!(receipt(&bed, &bob, &room, "m.read", &event).json(&json!({})).await.ok(), json!({}));
    let content = seen(&bed, &alice, &room).await;
    let own = &content[&event]["m.read"][bob.id.as_str()];
    assert_eq!(own, &json!({ "ts": 1_700_000_000_000_i64 }));
    let presence = bed.api.presence.get(&bob.id).await.expect("a read").expect("a presence");
    assert_eq!(presence.state, PresenceState::Online, "who reads is there");
    bed.without_effect(receipt(&bed, &bob, &room, "m.read", &event)).await.ok();
}

/// Row 86 of the hostile input: a private receipt is seen by nobody else.
#[tokio::test(start_paused = true)]
async fn row_86_a_private_receipt_stays_private() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let room = bed.public_room(&alice, &[&bob]).await;
    let event = bed.say(&alice, &room, "hi").await;
    receipt(&bed, &bob, &room, "m.read.private", &event).json(&json!({})).await.ok();
    assert_eq!(seen(&bed, &alice, &room).await, json!({}));
    let own = seen(&bed, &bob, &room).await;
    assert!(own[&event]["m.read.private"][bob.id.as_str()]["ts"].is_number(), "{own}");
}

#[tokio::test(start_paused = true)]
async fn read_markers_set_up_to_three_at_once() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let room = bed.public_room(&alice, &[&bob]).await;
    let (first, last) = (bed.say(&alice, &room, "a").await, bed.say(&alice, &room, "b").await);
    let markers = |body: Value| bed.ask(&bob, Method::POST, "/rooms/{}/read_markers", &[&room]).json(&body);
    bed.without_effect(markers(json!({}))).await.ok();
    let all = json!({ "m.fully_read": first, "m.read": first, "m.read.private": last });
    let commits = bed.db.stats().commits;
    assert_eq!(markers(all).await.ok(), json!({}));
    assert_eq!(bed.db.stats().commits, commits + 1, "all or none");
    assert_eq!(fully_read(&bed, &bob, &room).await.await.ok(), json!({ "event_id": first }));
    assert!(seen(&bed, &alice, &room).await[&first]["m.read"][bob.id.as_str()].is_object());
    assert!(seen(&bed, &bob, &room).await[&last]["m.read.private"][bob.id.as_str()].is_object());
    receipt(&bed, &bob, &room, "m.fully_read", &last).json(&json!({})).await.ok();
    assert_eq!(fully_read(&bed, &bob, &room).await.await.ok(), json!({ "event_id": last }));
    let synced = bed.get("/_matrix/client/v3/sync").by(&bob).await.ok();
    let marker = json!([{ "type": "m.fully_read", "content": { "event_id": last } }]);
    assert_eq!(synced["rooms"]["join"][&room]["account_data"]["events"], marker);
    // One wrong marker, and none is set.
    let later = bed.say(&alice, &room, "c").await;
    for body in [
        json!({ "m.fully_read": "$absent", "m.read": later }),
        json!({ "m.fully_read": later, "m.read": "$absent" }),
        json!({ "m.read": later, "m.read.private": "$absent" }),
    ] {
        bed.without_effect(markers(body)).await.refused(404, "M_NOT_FOUND");
    }
    for (body, errcode) in
        [("{", "M_NOT_JSON"), (r#"{"m.read":1}"#, "M_BAD_JSON"), (r#"{"m.read":"x"}"#, "M_BAD_JSON")]
    {
        let call = bed.ask(&bob, Method::POST, "/rooms/{}/read_markers", &[&room]).text(body);
        bed.without_effect(call).await.refused(400, errcode);
    }
}

#[tokio::test(start_paused = true)]
async fn a_receipt_of_a_thread_is_for_what_belongs_to_it() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let room = bed.room(&alice, json!({})).await;
    let (root, other) = (bed.say(&alice, &room, "root").await, bed.say(&alice, &room, "other").await);
    let edit = reply(&bed, &alice, &room, &root, "m.replace").await;
    let in_thread = reply(&bed, &alice, &room, &root, "m.thread").await;
    let reaction = reply(&bed, &alice, &room, &in_thread, "m.annotation").await;
    let read = |event: &str, thread: &str| {
        receipt(&bed, &alice, &room, "m.read", event).json(&json!({ "thread_id": thread }))
    };
    for (event, thread) in [
        (&root, "main"),
        (&other, "main"),
        (&edit, "main"),
        (&in_thread, root.as_str()),
        (&reaction, &root),
        (&root, &root),
        (&edit, &root),
    ] {
        read(event, thread).await.ok();
    }
    let content = seen(&bed, &alice, &room).await;
    assert_eq!(content[&reaction]["m.read"][alice.id.as_str()]["thread_id"], root.as_str());
    assert_eq!(content[&edit]["m.read"][alice.id.as_str()]["thread_id"], "main");
    for (event, thread) in [
        (&in_thread, "main"),
        (&other, root.as_str()),
        (&in_thread, &other),
        (&other, "$absent"),
        (&other, ""),
        (&other, "thread"),
    ] {
        bed.without_effect(read(event, thread)).await.refused(400, "M_INVALID_PARAM");
    }
    for body in [r#"{"thread_id":1}"#, r#"{"thread_id":null}"#, r#"{"thread_id":"$"}"#] {
        let call = receipt(&bed, &alice, &room, "m.read", &other).text(body);
        bed.without_effect(call).await.refused(400, "M_INVALID_PARAM");
    }
    let marker = receipt(&bed, &alice, &room, "m.fully_read", &other).json(&json!({ "thread_id": "main" }));
    bed.without_effect(marker).await.refused(400, "M_INVALID_PARAM");
}

#[tokio::test(start_paused = true)]
async fn receipts_that_are_none_are_refused() {
    let bed = Bed::new().await;
    let [alice, bob, carol] = bed.users(["alice", "bob", "carol"]).await;
    let room = bed.public_room(&alice, &[&carol]).await;
    let other = bed.room(&alice, json!({})).await;
    let (event, elsewhere) = (bed.say(&alice, &room, "a").await, bed.say(&alice, &other, "b").await);
    bed.leave(&carol, &room).await.ok();
    let body = json!({});
    let absent = receipt(&bed, &bob, "!absent:plop.example", "m.read", &event).json(&body);
    let absent = bed.without_effect(absent).await.refused(403, "M_FORBIDDEN");
    for user in [&bob, &carol] {
        for event in [&event, "$absent"] {
            let call = receipt(&bed, user, &room, "m.read", event).json(&body);
            assert_eq!(bed.without_effect(call).await.refused(403, "M_FORBIDDEN"), absent);
        }
    }
    for (kind, event, status, errcode) in [
        ("m.read", "$absent", 404, "M_NOT_FOUND"),
        ("m.read", &elsewhere, 404, "M_NOT_FOUND"),
        ("m.fully_read", &elsewhere, 404, "M_NOT_FOUND"),
        ("m.read", "x", 400, "M_INVALID_PARAM"),
        ("m.seen", &event, 400, "M_INVALID_PARAM"),
    ] {
        let call = receipt(&bed, &alice, &room, kind, event).json(&body);
        bed.without_effect(call).await.refused(status, errcode);
    }
    bed.suspend(&alice, true).await;
    receipt(&bed, &alice, &room, "m.read", &event).json(&body).await.ok();
}

const BY_THREAD: &str = r#"{"room":{"timeline":{"unread_thread_notifications":true}}}"#;

/// A thread below `a` with a mention in it, a mention beside it, a reference to `a`, and a reaction to that, which notifies nobody.
#[tokio::test(start_paused = true)]
async fn what_was_read_of_a_thread_is_counted_no_more() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let room = bed.public_room(&alice, &[&bob]).await;
    let since = text(&bed.get("/_matrix/client/v3/sync").by(&bob).await.ok()["next_batch"]);
    let say = async |kind: &str, body: &str, relates_to: Value| {
        let mut content = json!({ "msgtype": "m.text", "body": body });
        if relates_to.is_object() {
            content["m.relates_to"] = relates_to;
        }
        if body.contains(bob.id.as_str()) {
            content["m.mentions"] = json!({ "user_ids": [bob.id] });
        }
        bed.send(&alice, &room, kind, body, content).await
    };
    let mention = |words: &str| format!("{words} {}!", bob.id);
    let a = say("m.room.message", "Hello world!", Value::Null).await;
    let in_thread = || json!({ "event_id": a, "rel_type": "m.thread" });
    let b = say("m.room.message", "Start thread!", in_thread()).await;
    say("m.room.message", &mention("Thread response"), in_thread()).await;
    let d = say("m.room.message", &mention("Hello"), Value::Null).await;
    say("m.room.message", "End thread", in_thread()).await;
    let f = say("m.room.message", "Reference!", json!({ "event_id": a, "rel_type": "m.reference" })).await;
    let reaction = json!({ "event_id": f, "rel_type": "m.annotation", "key": "test" });
    let g = say("m.room.reaction", "Reaction!", reaction).await;

    // Highlights and notifications: of the whole room, of what is in no thread, of the thread.
    let counts = async || {
        let mut counts = Vec::new();
        for filter in ["", BY_THREAD] {
            let filter = crate::chat::encoded(filter);
            let filter = if filter.is_empty() { filter } else { format!("&filter={filter}") };
            let path = format!("/_matrix/client/v3/sync?since={since}{filter}");
            let answer = bed.get(&path).by(&bob).await.ok();
            let joined = &answer["rooms"]["join"][&room];
            let threads = joined.get("unread_thread_notifications").cloned();
            for count in
                [Some(joined["unread_notifications"].clone()), threads.map(|threads| threads[&a].clone())]
            {
                counts
                    .extend(count.map(|count| {
                        (count["highlight_count"].clone(), count["notification_count"].clone())
                    }));
            }
        }
        counts
            .into_iter()
            .map(|(highlights, all)| [highlights, all].map(|count| count.as_u64().expect("a count")))
            .collect::<Vec<_>>()
    };
    assert_eq!(counts().await, [[2, 6], [1, 3], [1, 3]]);
    for (event, body, expected) in [
        (&a, json!({ "thread_id": "main" }), vec![[2, 5], [1, 2], [1, 3]]),
        (&b, json!({ "thread_id": a }), vec![[2, 4], [1, 2], [1, 2]]),
        (&d, json!({}), vec![[0, 2], [0, 1], [0, 1]]),
        // All of the thread, and nothing beside it.
        (&g, json!({ "thread_id": a }), vec![[0, 1], [0, 1]]),
    ] {
        receipt(&bed, &bob, &room, "m.read", event).json(&body).await.ok();
        assert_eq!(counts().await, expected, "{body}");
        let path = format!("/_matrix/client/v3/sync?since={since}");
        let answer = bed.get(&path).by(&bob).await.ok();
        let events =
            answer["rooms"]["join"][&room]["ephemeral"]["events"].as_array().expect("events").clone();
        let own = |told: &Value| told["content"][event.as_str()]["m.read"].get(bob.id.as_str()).cloned();
        let threads = events.iter().filter_map(own).map(|receipt| receipt.get("thread_id").cloned());
        assert!(threads.into_iter().any(|thread| thread == body.get("thread_id").cloned()), "{answer}");
    }
}

/// One event, read as a part of its thread and of the room.
#[tokio::test(start_paused = true)]
async fn a_receipt_with_and_one_without_a_thread_are_two() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let room = bed.public_room(&alice, &[]).await;
    let a = bed.say(&alice, &room, "Hello world!").await;
    let b = reply(&bed, &alice, &room, &a, "m.thread").await;
    receipt(&bed, &alice, &room, "m.read", &b).json(&json!({})).await.ok();
    receipt(&bed, &alice, &room, "m.read", &b).json(&json!({ "thread_id": a })).await.ok();
    let answer = bed.get("/_matrix/client/v3/sync").by(&alice).await.ok();
    let events = answer["rooms"]["join"][&room]["ephemeral"]["events"].as_array().expect("events").clone();
    let mut threads: Vec<_> = events
        .iter()
        .filter_map(|event| event["content"][&b]["m.read"].get(alice.id.as_str()))
        .map(|receipt| receipt.get("thread_id").map(text))
        .collect();
    threads.sort();
    assert_eq!(threads, [None, Some(a)]);
}
