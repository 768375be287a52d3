//! `/dehydrated_device` and what comes for it (MSC3814).

use http::Method;
use plop_bed::Signer;
use plop_state::json::{Object, canonical};
use serde_json::{Value, json};

use crate::bed::{Bed, User};
use crate::call::Call;

const ID: &str = "tGAuLdzFqDJ7eX4mHrHaEGlXuLkRK0Xw1PCFAkQBwhI";
const PATH: &str = "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device";

fn own(bed: &Bed, by: &User, method: Method) -> Call {
    bed.call(method, PATH).by(by)
}

fn events(bed: &Bed, by: &User, method: Method, id: &str, query: &str) -> Call {
    bed.call(method, &format!("{PATH}/{id}/events{query}")).by(by)
}

fn body(object: Object) -> Value {
    serde_json::from_str(&canonical(&object.into())).expect("JSON")
}

/// As the SDK of Element makes it.
fn upload(by: &User, id: &str) -> Value {
    let key = Signer::new(1);
    let mut device_keys = key.device_keys(&by.id, id);
    device_keys.remove("signatures");
    device_keys.insert("dehydrated".to_owned(), true.into());
    key.sign(&mut device_keys, &by.id, id);
    json!({
        "device_id": id,
        "initial_device_display_name": "Dehydrated device",
        "device_data": { "algorithm": "org.matrix.msc3814.v2", "device_pickle": "p", "nonce": "n" },
        "device_keys": body(device_keys),
        "one_time_keys": body(key.one_time_keys(&by.id, id, 0..1)),
        "fallback_keys": {},
    })
}

async fn send(bed: &Bed, by: &User, to: &User, number: usize) {
    let messages = json!({ "messages": { to.id.as_str(): { ID: { "n": number } } } });
    let path = ["m.room.encrypted", &number.to_string()];
    bed.ask(by, Method::PUT, "/sendToDevice/{}/{}", &path).json(&messages).await.ok();
}

fn numbers(answer: &Value) -> Vec<u64> {
    let events = answer["events"].as_array().expect("a list");
    events.iter().map(|event| event["content"]["n"].as_u64().expect("a number")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_device_is_dehydrated_seen_by_others_and_deleted() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    own(&bed, &alice, Method::GET).await.refused(404, "M_NOT_FOUND");
    own(&bed, &alice, Method::DELETE).await.refused(404, "M_NOT_FOUND");
    let since = bed.get("/_matrix/client/v3/sync").by(&alice).await.ok()["next_batch"].clone();
    let since = since.as_str().expect("a token").to_owned();
    let upload = upload(&alice, ID);
    for _ in 0..2 {
        let made = own(&bed, &alice, Method::PUT).json(&upload).await.ok();
        assert_eq!(made, json!({ "device_id": ID }));
    }
    let stored = own(&bed, &alice, Method::GET).await.ok();
    assert_eq!(stored, json!({ "device_id": ID, "device_data": upload["device_data"] }));

    let wanted = json!({ "device_keys": { alice.id.as_str(): [] } });
    let told = bed.ask(&bob, Method::POST, "/keys/query", &[]).json(&wanted).await.ok();
    let device = &told["device_keys"][alice.id.as_str()][ID];
    assert_eq!(device["dehydrated"], json!(true));
    assert_eq!(device["signatures"], upload["device_keys"]["signatures"]);
    assert_eq!(device["unsigned"], json!({ "device_display_name": "Dehydrated device" }));
    let changes = bed.get(&format!("/_matrix/client/v3/sync?since={since}")).by(&alice).await.ok();
    assert_eq!(changes["device_lists"]["changed"], json!([alice.id]));
    let claim = json!({ "one_time_keys": { alice.id.as_str(): { ID: "signed_curve25519" } } });
    let claimed = bed.ask(&bob, Method::POST, "/keys/claim", &[]).json(&claim).await.ok();
    assert_eq!(claimed["one_time_keys"][alice.id.as_str()][ID], upload["one_time_keys"]);

    // As a device it is listed, and nobody was seen on it.
    let devices = bed.get("/_matrix/client/v3/devices").by(&alice).await.ok();
    let listed = devices["devices"].as_array().expect("a list").iter();
    let listed = listed.clone().find(|device| device["device_id"] == ID).expect("the device");
    assert_eq!((&listed["last_seen_ts"], &listed["last_seen_ip"]), (&Value::Null, &Value::Null));
    let login = json!({
        "type": "m.login.password", "identifier": { "type": "m.id.user", "user": "alice" },
        "password": crate::bed::PASSWORD, "device_id": ID,
    });
    bed.post("/_matrix/client/v3/login").json(&login).await.refused(400, "M_INVALID_PARAM");

    let bed = bed.restarted().await;
    assert_eq!(own(&bed, &alice, Method::GET).await.ok()["device_id"], ID);
    assert_eq!(own(&bed, &alice, Method::DELETE).await.ok(), json!({ "device_id": ID }));
    own(&bed, &alice, Method::GET).await.refused(404, "M_NOT_FOUND");
}

#[tokio::test(start_paused = true)]
async fn what_has_come_is_read_page_by_page_and_stays() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    own(&bed, &alice, Method::PUT).json(&upload(&alice, ID)).await.ok();
    for number in 0..5 {
        send(&bed, &bob, &alice, number).await;
    }
    // As clients in use ask: until nothing comes.
    for _ in 0..2 {
        let (mut next, mut read) = (json!({}), Vec::new());
        loop {
            let answer = events(&bed, &alice, Method::POST, ID, "?limit=2").json(&next).await.ok();
            if numbers(&answer).is_empty() {
                break;
            }
            read.extend(numbers(&answer));
            next = json!({ "next_batch": answer["next_batch"] });
        }
        assert_eq!(read, [0, 1, 2, 3, 4]);
        // What comes after the end is the next page.
        let answer = events(&bed, &alice, Method::POST, ID, "").json(&next).await.ok();
        assert_eq!((numbers(&answer), answer["next_batch"].is_string()), (Vec::new(), true));
    }
    // As the proposal has it now: the last page has no `next_batch`.
    let (mut query, mut pages) = ("?limit=2".to_owned(), Vec::new());
    loop {
        let answer = events(&bed, &alice, Method::GET, ID, &query).await.ok();
        pages.push(numbers(&answer));
        let Some(next) = answer["next_batch"].as_str() else { break };
        query = format!("?limit=2&from={next}");
    }
    assert_eq!(pages, [vec![0, 1], vec![2, 3], vec![4]]);
    let message = json!({ "type": "m.room.encrypted", "sender": bob.id, "content": { "n": 0 } });
    assert_eq!(events(&bed, &alice, Method::GET, ID, "").await.ok()["events"][0], message);
    // A page of full length that is the last one.
    let answer = events(&bed, &alice, Method::GET, ID, "?limit=5").await.ok();
    assert_eq!((numbers(&answer).len(), answer.get("next_batch")), (5, None));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_dehydrated_device_is_refused() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    for method in [Method::GET, Method::POST] {
        let call = events(&bed, &alice, method, ID, "").json(&json!({}));
        call.await.refused(403, "M_FORBIDDEN");
    }
    let whole = upload(&alice, ID);
    let with = |member: &str, value: Value| {
        let mut body = whole.clone();
        match value {
            Value::Null => drop(body.as_object_mut().expect("an object").remove(member)),
            value => body[member] = value,
        }
        body
    };
    let large = json!({ "algorithm": "a", "x": "x".repeat(64 << 10) });
    for (body, status, errcode) in [
        (with("device_id", Value::Null), 400, "M_MISSING_PARAM"),
        (with("device_data", Value::Null), 400, "M_MISSING_PARAM"),
        (with("device_keys", Value::Null), 400, "M_MISSING_PARAM"),
        (with("device_id", json!(1)), 400, "M_BAD_JSON"),
        (with("device_id", json!("")), 400, "M_INVALID_PARAM"),
        (with("device_id", json!("OTHER")), 400, "M_INVALID_PARAM"),
        (with("device_id", json!(alice.device)), 400, "M_INVALID_PARAM"),
        (with("device_data", json!("pickle")), 400, "M_BAD_JSON"),
        (with("device_data", json!({})), 400, "M_BAD_JSON"),
        (with("device_data", large), 413, "M_TOO_LARGE"),
        (with("one_time_keys", json!([])), 400, "M_BAD_JSON"),
    ] {
        bed.without_effect(own(&bed, &alice, Method::PUT).json(&body)).await.refused(status, errcode);
    }
    own(&bed, &bob, Method::PUT).json(&whole).await.refused(400, "M_INVALID_PARAM");
    own(&bed, &alice, Method::PUT).json(&whole).await.ok();
    for (by, id) in [(&alice, alice.device.as_str()), (&alice, "OTHER"), (&bob, ID)] {
        events(&bed, by, Method::GET, id, "").await.refused(403, "M_FORBIDDEN");
    }
    for query in ["?from=x", "?from=dd1_", "?limit=0", "?limit=x"] {
        events(&bed, &alice, Method::GET, ID, query).await.refused(400, "M_INVALID_PARAM");
    }
    let token = json!({ "next_batch": "x" });
    events(&bed, &alice, Method::POST, ID, "").json(&token).await.refused(400, "M_INVALID_PARAM");
}
