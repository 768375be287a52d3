//! `PUT /sendToDevice/{eventType}/{txnId}`.

use http::Method;
use serde_json::{Value, json};

use crate::bed::{Bed, User};
use crate::call::Call;

fn send(bed: &Bed, by: &User, kind: &str, transaction: &str) -> Call {
    bed.ask(by, Method::PUT, "/sendToDevice/{}/{}", &[kind, transaction])
}

/// The messages that a device gets.
async fn inbox(bed: &Bed, by: &User) -> Value {
    let body = bed.get("/_matrix/client/v3/sync").by(by).await.ok();
    body.get("to_device").map_or(json!([]), |messages| messages["events"].clone())
}

#[tokio::test(start_paused = true)]
async fn a_message_reaches_the_devices_that_are_named() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let body = json!({ "messages": {
        bob.id.as_str(): { "PHONE": { "n": 1.5 }, "absent": {} }, alice.id.as_str(): { "*": { "n": 2 } },
    } });
    assert_eq!(send(&bed, &alice, "m.x", "t").json(&body).await.ok(), json!({}));
    let message = |n: Value| json!([{ "type": "m.x", "sender": alice.id, "content": { "n": n } }]);
    assert_eq!(inbox(&bed, &bob).await, message(json!(1.5)));
    assert_eq!(inbox(&bed, &alice).await, message(json!(2)));
}

/// Row 138 of the hostile input: the same request twice is one.
#[tokio::test(start_paused = true)]
async fn row_138_a_repeated_request_sends_nothing_more() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let body = json!({ "messages": { bob.id.as_str(): { "*": {} } } });
    send(&bed, &alice, "m.x", "t").json(&body).await.ok();
    bed.without_effect(send(&bed, &alice, "m.x", "t").json(&body)).await.ok();
    assert_eq!(inbox(&bed, &bob).await.as_array().expect("a list").len(), 1);
    send(&bed, &alice, "m.x", "u").json(&body).await.ok();
    send(&bed, &bob, "m.x", "t").json(&body).await.ok();
    assert_eq!(inbox(&bed, &bob).await.as_array().expect("a list").len(), 3);
}

#[tokio::test(start_paused = true)]
async fn messages_that_are_none_are_refused_and_none_is_sent() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let large = json!({ "messages": { bob.id.as_str(): { "*": { "x": "x".repeat(65_536) } } } });
    for (body, status, errcode) in [
        ("{".to_owned(), 400, "M_NOT_JSON"),
        ("{}".to_owned(), 400, "M_BAD_JSON"),
        (r#"{"messages":[]}"#.to_owned(), 400, "M_BAD_JSON"),
        (r#"{"messages":{"bob":{}}}"#.to_owned(), 400, "M_BAD_JSON"),
        (r#"{"messages":{"@bob:plop.example":{"*":1}}}"#.to_owned(), 400, "M_BAD_JSON"),
        (
            r#"{"messages":{"@bob:plop.example":{"*":{}},"@x:elsewhere.example":{}}}"#.to_owned(),
            403,
            "M_FORBIDDEN",
        ),
        (large.to_string(), 413, "M_TOO_LARGE"),
    ] {
        bed.without_effect(send(&bed, &alice, "m.x", "t").text(body)).await.refused(status, errcode);
    }
    let body = json!({ "messages": { bob.id.as_str(): { "*": {} } } });
    let long = "k".repeat(256);
    for (kind, transaction) in [(long.as_str(), "t"), ("m.x", &long)] {
        let call = send(&bed, &alice, kind, transaction).json(&body);
        bed.without_effect(call).await.refused(400, "M_INVALID_PARAM");
    }
    assert_eq!(inbox(&bed, &bob).await, json!([]));
    bed.suspend(&alice, true).await;
    send(&bed, &alice, "m.x", "t").json(&body).await.ok();
}
