//! The chapter on keys: their upload, query, claim and changes; cross-signing.

use http::Method;
use plop_bed::Signer;
use plop_state::json::{Object, canonical};
use serde_json::{Value, json};

use crate::bed::{Bed, PASSWORD, User};
use crate::call::Call;

fn post(bed: &Bed, by: &User, path: &str, body: &Value) -> Call {
    bed.ask(by, Method::POST, &format!("/keys/{path}"), &[]).json(body)
}

/// As the client sends it.
fn body(object: Object) -> Value {
    serde_json::from_str(&canonical(&object.into())).expect("JSON")
}

fn device_keys(user: &User, key: &Signer) -> Value {
    body(key.device_keys(&user.id, user.device.as_str()))
}

fn one_time_keys(user: &User, key: &Signer, numbers: std::ops::Range<u32>) -> Value {
    body(key.one_time_keys(&user.id, user.device.as_str(), numbers))
}

#[tokio::test(start_paused = true)]
async fn keys_are_uploaded_told_and_claimed() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let key = Signer::new(1);
    let (identity, keys) = (device_keys(&alice, &key), one_time_keys(&alice, &key, 0..1));
    let upload = json!({ "device_keys": identity, "one_time_keys": keys, "fallback_keys": null });
    for _ in 0..2 {
        let counts = post(&bed, &alice, "upload", &upload).await.ok();
        assert_eq!(counts, json!({ "one_time_key_counts": { "signed_curve25519": 1 } }));
    }
    for devices in [json!([]), json!([alice.device])] {
        let wanted = json!({ "device_keys": { alice.id.as_str(): devices, bob.id.as_str(): [] } });
        let told = post(&bed, &bob, "query", &wanted).await.ok();
        let of_alice = json!({ alice.device.as_str(): identity });
        assert_eq!(told["device_keys"], json!({ alice.id.as_str(): of_alice, bob.id.as_str(): {} }));
        assert_eq!((&told["failures"], &told["master_keys"]), (&json!({}), &json!({})));
    }
    let name = json!({ "display_name": "Alice's \"phone\"" });
    bed.ask(&alice, Method::PUT, "/devices/{}", &[alice.device.as_str()]).json(&name).await.ok();
    let wanted = json!({ "device_keys": { alice.id.as_str(): ["GONE", alice.device] } });
    let told = post(&bed, &bob, "query", &wanted).await.ok();
    let device = &told["device_keys"][alice.id.as_str()][alice.device.as_str()];
    assert_eq!(device["unsigned"], json!({ "device_display_name": "Alice's \"phone\"" }));

    let claim =
        json!({ "one_time_keys": { alice.id.as_str(): { alice.device.as_str(): "signed_curve25519" } } });
    let claimed = post(&bed, &bob, "claim", &claim).await.ok();
    let expected = json!({ alice.id.as_str(): { alice.device.as_str(): keys } });
    assert_eq!(claimed, json!({ "failures": {}, "one_time_keys": expected }));
    let claimed = post(&bed, &bob, "claim", &claim).await.ok();
    assert_eq!(claimed, json!({ "failures": {}, "one_time_keys": {} }));
    // Nor after a restart.
    let bed = bed.restarted().await;
    let claimed = post(&bed, &bob, "claim", &claim).await.ok();
    assert_eq!(claimed["one_time_keys"], json!({}));
}

#[tokio::test(start_paused = true)]
async fn users_of_servers_that_are_not_asked_are_failures() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let query = json!({ "device_keys": { "@x:elsewhere.example": [] }, "timeout": 10_000 });
    let claim = json!({ "one_time_keys": { "@x:elsewhere.example": { "D": "signed_curve25519" } } });
    for (path, body) in [("query", query), ("claim", claim)] {
        let answer = post(&bed, &alice, path, &body).await.ok();
        assert_eq!(answer["failures"]["elsewhere.example"]["errcode"], "M_UNREACHABLE");
    }
}

/// Hostile input, row 90.
#[tokio::test(start_paused = true)]
async fn row_90_what_is_no_key_is_refused() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let key = Signer::new(1);
    let keys = one_time_keys(&bob, &key, 0..1);
    let bare = json!({ "user_id": bob.id, "device_id": bob.device });
    let alices = json!({ "user_id": alice.id, "device_id": alice.device });
    for (body, status, errcode) in [
        (json!({ "device_keys": bare, "one_time_keys": keys }), 400, "M_BAD_JSON"),
        (json!({ "device_keys": alices }), 400, "M_INVALID_PARAM"),
        (json!({ "device_keys": device_keys(&alice, &key) }), 400, "M_INVALID_PARAM"),
        (json!({ "device_keys": [] }), 400, "M_BAD_JSON"),
        (json!({ "one_time_keys": "x" }), 400, "M_BAD_JSON"),
        (json!({ "one_time_keys": { "signed_curve25519:A": { "key": 1.5 } } }), 400, "M_BAD_JSON"),
        (json!({ "device_keys": { "x": "x".repeat(900_000), "user_id": bob.id } }), 413, "M_TOO_LARGE"),
    ] {
        post(&bed, &bob, "upload", &body).await.refused(status, errcode);
    }
    let mut forged = device_keys(&bob, &key);
    forged["algorithms"] = json!(["m.none"]);
    let body = json!({ "device_keys": forged });
    post(&bed, &bob, "upload", &body).await.refused(400, "M_INVALID_SIGNATURE");
    let wanted = json!({ "device_keys": { bob.id.as_str(): [] } });
    let told = post(&bed, &alice, "query", &wanted).await.ok();
    assert_eq!(told["device_keys"], json!({ bob.id.as_str(): {} }));
    let uploaded = post(&bed, &bob, "upload", &json!({})).await.ok();
    assert_eq!(uploaded, json!({ "one_time_key_counts": { "signed_curve25519": 0 } }));
}

#[tokio::test(start_paused = true)]
async fn queries_that_are_none_are_refused() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let by_object = json!({ "device_keys": { "@bob:plop.example": { "A": true, "B": true } } });
    for (path, body) in [
        ("query", by_object),
        ("query", json!({})),
        ("query", json!({ "device_keys": { "bob": [] } })),
        ("claim", json!({})),
        ("claim", json!({ "one_time_keys": { "@bob:plop.example": { "A": 1 } } })),
        ("signatures/upload", json!({ "bob": {} })),
        ("signatures/upload", json!({ "@bob:plop.example": [] })),
    ] {
        post(&bed, &alice, path, &body).await.refused(400, "M_BAD_JSON");
    }
    let users: Value = (0..5_001).map(|number| (format!("@u{number}:plop.example"), json!([]))).collect();
    let many = json!({ "device_keys": users });
    post(&bed, &alice, "query", &many).await.refused(413, "M_TOO_LARGE");
}

#[tokio::test(start_paused = true)]
async fn changes_are_told_between_answers_of_sync() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    bed.public_room(&alice, &[&bob]).await;
    let token = async || {
        let answer = bed.get("/_matrix/client/v3/sync").by(&alice).await.ok();
        answer["next_batch"].as_str().expect("a token").to_owned()
    };
    let changes = |from: &str, to: &str| {
        bed.get(&format!("/_matrix/client/v3/keys/changes?from={from}&to={to}")).by(&alice)
    };
    let before = token().await;
    let body = json!({ "device_keys": device_keys(&bob, &Signer::new(1)) });
    post(&bed, &bob, "upload", &body).await.ok();
    let after = token().await;
    assert_eq!(changes(&before, &after).await.ok(), json!({ "changed": [bob.id], "left": [] }));
    assert_eq!(changes(&after, &after).await.ok(), json!({ "changed": [], "left": [] }));
    changes("nonsense", &after).await.refused(400, "M_INVALID_PARAM");
    bed.get("/_matrix/client/v3/keys/changes").by(&alice).await.refused(400, "M_MISSING_PARAM");
}

/// Another login is told to who shares a room, once it has keys, and its keys stand beside those of the first one.
#[tokio::test(start_paused = true)]
async fn the_keys_of_a_new_login_are_told_beside_those_of_the_others() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let first = json!({ "device_keys": device_keys(&bob, &Signer::new(1)) });
    post(&bed, &bob, "upload", &first).await.ok();
    bed.public_room(&alice, &[&bob]).await;
    let before = bed.get("/_matrix/client/v3/sync").by(&alice).await.ok();
    let login = json!({
        "type": "m.login.password", "device_id": "LAPTOP", "password": PASSWORD,
        "identifier": { "type": "m.id.user", "user": bob.id },
    });
    let login = bed.post("/_matrix/client/r0/login").json(&login).await.ok();
    let token = login["access_token"].as_str().expect("a token").to_owned();
    let laptop = User { token, device: "LAPTOP".into(), ..bob.clone() };
    let key = Signer::new(2);
    let keys = json!({ "device_keys": device_keys(&laptop, &key), "one_time_keys": one_time_keys(&laptop, &key, 0..1) });
    post(&bed, &laptop, "upload", &keys).await.ok();
    let from = before["next_batch"].as_str().expect("a token");
    let after = bed.get(&format!("/_matrix/client/v3/sync?since={from}")).by(&alice).await.ok();
    assert_eq!(after["device_lists"]["changed"], json!([bob.id]));
    let to = after["next_batch"].as_str().expect("a token");
    let path = format!("/_matrix/client/v3/keys/changes?from={from}&to={to}");
    assert_eq!(bed.get(&path).by(&alice).await.ok()["changed"], json!([bob.id]));
    let wanted = json!({ "device_keys": { bob.id.as_str(): [] } });
    let told = post(&bed, &alice, "query", &wanted).await.ok();
    let devices = told["device_keys"][bob.id.as_str()].as_object().expect("devices");
    assert_eq!(devices.keys().collect::<Vec<_>>(), ["LAPTOP", "PHONE"]);
}

/// Any 32 bytes as a key, signed by nobody: what conformance tests upload. It is told as it is, also after it changed while no room was shared.
#[tokio::test(start_paused = true)]
async fn keys_that_nobody_signed_are_told_as_they_are() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let room = bed.public_room(&alice, &[&bob]).await;
    let publish = async |byte: char| {
        let (ed25519, curve25519) = (format!("ed25519:{}", bob.device), format!("curve25519:{}", bob.device));
        let key = byte.to_string().repeat(43);
        let keys = json!({
            "user_id": bob.id, "device_id": bob.device, "algorithms": ["m.olm.v1.curve25519-aes-sha2"],
            "keys": { ed25519: key, curve25519: key }, "signatures": {},
        });
        post(&bed, &bob, "upload", &json!({ "device_keys": keys })).await.ok();
        let wanted = json!({ "device_keys": { bob.id.as_str(): [] } });
        let told = post(&bed, &alice, "query", &wanted).await.ok();
        let told = told["device_keys"][bob.id.as_str()][bob.device.as_str()].clone();
        assert_eq!((&told["keys"], &told["algorithms"]), (&keys["keys"], &keys["algorithms"]));
    };
    let mut path = "/_matrix/client/v3/sync".to_owned();
    let mut lists = async || {
        let news = bed.get(&path).by(&alice).await.ok();
        path = format!("/_matrix/client/v3/sync?since={}", news["next_batch"].as_str().expect("a token"));
        news["device_lists"].clone()
    };
    publish('A').await;
    lists().await;
    publish('8').await;
    assert_eq!(lists().await["changed"], json!([bob.id]));
    bed.leave(&bob, &room).await.ok();
    assert_eq!(lists().await["left"], json!([bob.id]));
    publish('w').await;
    assert_eq!(lists().await, Value::Null, "no room is shared");
    bed.join(&bob, &room).await.ok();
    assert_eq!(lists().await["changed"], json!([bob.id]));
    publish('Q').await;
}

fn cross_signing(user: &User, master: &Signer) -> Value {
    json!({ "master_key": body(master.cross_signing_key(&user.id, "master", None)) })
}

fn with_password(mut body: Value, user: &User, session: &Value) -> Value {
    body["auth"] = json!({
        "type": "m.login.password", "session": session, "password": PASSWORD,
        "identifier": { "type": "m.id.user", "user": user.id },
    });
    body
}

#[tokio::test(start_paused = true)]
async fn cross_signing_keys_are_replaced_with_the_password() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let upload = |body: &Value| post(&bed, &alice, "device_signing/upload", body);
    let (master, self_signing) = (Signer::new(1), Signer::new(2));
    upload(&cross_signing(&alice, &master)).await.ok();
    upload(&cross_signing(&alice, &master)).await.ok();
    let other = cross_signing(&alice, &Signer::new(3));
    upload(&other).await.challenged();
    let key = self_signing.cross_signing_key(&alice.id, "self_signing", Some(&master));
    let more = json!({ "self_signing_key": body(key) });
    let session = upload(&more).await.challenged()["session"].clone();
    // What was authorised is this request and no other.
    upload(&with_password(more.clone(), &alice, &session)).await.ok();
    upload(&with_password(other.clone(), &alice, &session)).await.challenged();
    let wanted = json!({ "device_keys": { alice.id.as_str(): [] } });
    let told = post(&bed, &alice, "query", &wanted).await.ok();
    assert_eq!(told["self_signing_keys"][alice.id.as_str()], more["self_signing_key"]);
    assert_eq!(told["user_signing_keys"], json!({}));
    // A signature that does not verify.
    let key = self_signing.cross_signing_key(&alice.id, "self_signing", Some(&Signer::new(9)));
    upload(&json!({ "self_signing_key": body(key) })).await.refused(400, "M_INVALID_SIGNATURE");
    upload(&json!({})).await.refused(400, "M_MISSING_PARAM");
}

#[tokio::test(start_paused = true)]
async fn signatures_are_taken_one_by_one() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let (device, master, self_signing) = (Signer::new(1), Signer::new(2), Signer::new(3));
    let keys = device_keys(&alice, &device);
    post(&bed, &alice, "upload", &json!({ "device_keys": keys })).await.ok();
    let mut all = cross_signing(&alice, &master);
    let key = self_signing.cross_signing_key(&alice.id, "self_signing", Some(&master));
    all["self_signing_key"] = body(key);
    post(&bed, &alice, "device_signing/upload", &all).await.ok();
    let mut signed = device.device_keys(&alice.id, alice.device.as_str());
    self_signing.sign(&mut signed, &alice.id, &self_signing.public());
    let signed = body(signed);
    let upload = json!({ alice.id.as_str(): { alice.device.as_str(): signed, "GONE": signed } });
    let answer = post(&bed, &alice, "signatures/upload", &upload).await.ok();
    let failures = &answer["failures"][alice.id.as_str()];
    assert_eq!(failures["GONE"]["errcode"], "M_NOT_FOUND");
    assert!(failures.get(alice.device.as_str()).is_none(), "{answer}");
    let wanted = json!({ "device_keys": { alice.id.as_str(): [] } });
    let told = post(&bed, &alice, "query", &wanted).await.ok();
    assert_eq!(told["device_keys"][alice.id.as_str()][alice.device.as_str()], signed);
}
