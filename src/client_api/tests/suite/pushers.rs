//! Pushers, through the API.

use serde_json::{Value, json};

use crate::bed::{Bed, PASSWORD, User};

const SET: &str = "/_matrix/client/v3/pushers/set";
const LIST: &str = "/_matrix/client/v3/pushers";

fn pusher() -> Value {
    json!({
        "app_display_name": "App",
        "app_id": "org.example.app",
        "data": {
            "url": "https://push.example/_matrix/push/v1/notify",
            "format": "event_id_only",
            "default_payload": { "aps": { "mutable-content": 1 } },
        },
        "device_display_name": "Phone",
        "kind": "http",
        "lang": "en",
        "profile_tag": "tag",
        "pushkey": "a_push_key",
    })
}

/// The body with another value of a key, or without it.
fn with(key: &str, value: Option<Value>) -> Value {
    let mut body = pusher();
    let fields = body.as_object_mut().expect("an object");
    fields.remove(key);
    fields.extend(value.map(|value| (key.to_owned(), value)));
    body
}

async fn listed(bed: &Bed, user: &User) -> Vec<Value> {
    bed.get(LIST).by(user).await.ok()["pushers"].as_array().expect("a list").clone()
}

/// Another session of a user.
async fn other_session(bed: &Bed, name: &str) -> User {
    let body = json!({
        "type": "m.login.password",
        "identifier": { "type": "m.id.user", "user": name },
        "password": PASSWORD,
    });
    let body = bed.post("/_matrix/client/v3/login").json(&body).await.ok();
    let text = |key: &str| body[key].as_str().expect("text").to_owned();
    User {
        id: text("user_id").try_into().expect("a user"),
        device: text("device_id").into(),
        token: text("access_token"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_pusher_is_listed_as_it_was_set_until_it_is_deleted() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    assert_eq!(listed(&bed, &alice).await, [] as [Value; 0]);
    assert_eq!(bed.post(SET).by(&alice).json(&pusher()).await.ok(), json!({}));
    let mut expected = pusher();
    expected["org.matrix.msc3881.enabled"] = true.into();
    expected["org.matrix.msc3881.device_id"] = alice.device.as_str().into();
    let bed = bed.restarted().await;
    assert_eq!(listed(&bed, &alice).await, [expected.clone()]);
    assert_eq!(listed(&bed, &bob).await, [] as [Value; 0]);

    let off = with("org.matrix.msc3881.enabled", Some(false.into()));
    bed.post(SET).by(&alice).json(&off).await.ok();
    expected["org.matrix.msc3881.enabled"] = false.into();
    assert_eq!(listed(&bed, &alice).await, [expected]);

    let deleted = json!({ "kind": null, "app_id": "org.example.app", "pushkey": "a_push_key" });
    for _ in 0..2 {
        bed.post(SET).by(&alice).json(&deleted).await.ok();
        assert_eq!(listed(&bed, &alice).await, [] as [Value; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_or_wrong_is_named() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let refused = async |body: Value, status: u16, errcode: &str| {
        let body = bed.post(SET).by(&alice).json(&body).await.refused(status, errcode);
        body["error"].as_str().expect("text").to_owned()
    };
    let keys = ["kind", "app_id", "pushkey", "app_display_name", "device_display_name", "lang", "data"];
    for key in keys {
        assert!(refused(with(key, None), 400, "M_MISSING_PARAM").await.contains(key));
    }
    let all = refused(json!({}), 400, "M_MISSING_PARAM").await;
    assert!(keys.iter().all(|key| all.contains(key)), "{all}");
    let of_deletion = refused(json!({ "kind": null }), 400, "M_MISSING_PARAM").await;
    assert!(of_deletion.contains("app_id, pushkey") && !of_deletion.contains("lang"), "{of_deletion}");
    for kind in ["email", "webpush", ""] {
        refused(with("kind", Some(kind.into())), 400, "M_INVALID_PARAM").await;
    }
    for (key, value) in
        [("kind", json!(1)), ("append", json!("yes")), ("data", json!("text")), ("lang", json!([]))]
    {
        refused(with(key, Some(value)), 400, "M_BAD_JSON").await;
    }
    for url in ["http://push.example/_matrix/push/v1/notify", "https://push.example/", "file:///etc/passwd"] {
        refused(with("data", Some(json!({ "url": url }))), 400, "M_INVALID_PARAM").await;
    }
    refused(with("data", Some(json!({}))), 400, "M_MISSING_PARAM").await;
    refused(with("app_id", Some("x".repeat(65).into())), 400, "M_INVALID_PARAM").await;
    refused(with("pushkey", Some("x".repeat(513).into())), 400, "M_INVALID_PARAM").await;
    refused(with("lang", Some("x".repeat(2_000).into())), 413, "M_TOO_LARGE").await;
    let data = json!({ "url": "https://push.example/_matrix/push/v1/notify", "more": "x".repeat(9_000) });
    refused(with("data", Some(data)), 413, "M_TOO_LARGE").await;
    assert_eq!(listed(&bed, &alice).await, [] as [Value; 0]);
}

/// Complement: `TestChangePasswordPushers`.
#[tokio::test(start_paused = true)]
async fn a_new_password_ends_the_pushers_of_other_sessions_only() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let other = other_session(&bed, "alice").await;
    let change = async |old: &str, new: &str| {
        let auth = json!({
            "type": "m.login.password",
            "identifier": { "type": "m.id.user", "user": "alice" },
            "password": old,
        });
        let body = json!({ "new_password": new, "auth": auth });
        bed.post("/_matrix/client/v3/account/password").by(&alice).json(&body).await.ok();
    };
    bed.post(SET).by(&other).json(&pusher()).await.ok();
    assert_eq!(listed(&bed, &alice).await.len(), 1);
    change(PASSWORD, "my new password").await;
    assert_eq!(listed(&bed, &alice).await.len(), 0);
    bed.post(SET).by(&alice).json(&pusher()).await.ok();
    change("my new password", PASSWORD).await;
    assert_eq!(listed(&bed, &alice).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_next_user_of_an_app_takes_its_pusher_over() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    bed.post(SET).by(&alice).json(&pusher()).await.ok();
    bed.post(SET).by(&bob).json(&with("append", Some(true.into()))).await.ok();
    assert_eq!((listed(&bed, &alice).await.len(), listed(&bed, &bob).await.len()), (1, 1));
    bed.post(SET).by(&bob).json(&pusher()).await.ok();
    assert_eq!((listed(&bed, &alice).await.len(), listed(&bed, &bob).await.len()), (0, 1));
}
