//! What users do with their own account and devices: passwords, proofs, deactivation.

use serde_json::{Value, json};

use crate::bed::{Bed, PASSWORD, User};

const CHANGE: &str = "/_matrix/client/v3/account/password";
const DEACTIVATE: &str = "/_matrix/client/v3/account/deactivate";
const DEVICES: &str = "/_matrix/client/v3/devices";
const DELETE: &str = "/_matrix/client/v3/delete_devices";
const LOGIN: &str = "/_matrix/client/v3/login";
const WHOAMI: &str = "/_matrix/client/v3/account/whoami";

fn by_password(session: &Value, user: &str, password: &str) -> Value {
    let identifier = json!({ "type": "m.id.user", "user": user });
    json!({ "type": "m.login.password", "identifier": identifier, "password": password, "session": session })
}

/// A body with the password of alice, in one request.
fn proven(mut body: Value) -> Value {
    let mut auth = by_password(&json!(null), "alice", PASSWORD);
    auth.as_object_mut().expect("an object").remove("session");
    body["auth"] = auth;
    body
}

/// One more session of alice's.
async fn log_in(bed: &Bed, device: &str, password: &str) -> User {
    let identifier = json!({ "type": "m.id.user", "user": "alice" });
    let login = json!({ "type": "m.login.password", "identifier": identifier, "password": password, "device_id": device });
    let body = bed.post(LOGIN).json(&login).await.ok();
    let text = |key: &str| body[key].as_str().expect("text").to_owned();
    User {
        id: text("user_id").try_into().expect("a user"),
        device: text("device_id").as_str().into(),
        token: text("access_token"),
    }
}

async fn device_ids(bed: &Bed, user: &User) -> Vec<String> {
    let body = bed.get(DEVICES).by(user).await.ok();
    let devices = body["devices"].as_array().expect("a list").iter();
    devices.map(|device| device["device_id"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_changed_password_ends_the_other_sessions_unless_asked_not_to() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let laptop = log_in(&bed, "LAPTOP", PASSWORD).await;
    let body = json!({ "new_password": "new", "logout_devices": false });
    let session = bed.post(CHANGE).by(&alice).json(&body).await.challenged();
    assert_eq!(session["flows"], json!([{ "stages": ["m.login.password"] }]));
    let mut request = body.clone();
    request["auth"] = by_password(&session["session"], "alice", "wrong");
    assert_eq!(bed.post(CHANGE).by(&alice).json(&request).await.challenged()["errcode"], "M_FORBIDDEN");
    request["auth"] = by_password(&session["session"], "@alice:plop.example", PASSWORD);
    assert_eq!(bed.post(CHANGE).by(&alice).json(&request).await.ok(), json!({}));
    bed.get(WHOAMI).by(&laptop).await.ok();
    let identifier = json!({ "type": "m.id.user", "user": "alice" });
    let former = json!({ "type": "m.login.password", "identifier": identifier, "password": PASSWORD });
    bed.post(LOGIN).json(&former).await.refused(403, "M_FORBIDDEN");
    let tablet = log_in(&bed, "TABLET", "new").await;
    let mut request = json!({ "new_password": "newer" });
    request["auth"] = json!({ "type": "m.login.password", "user": "alice", "password": "new" });
    bed.post(CHANGE).by(&tablet).json(&request).await.ok();
    bed.get(WHOAMI).by(&tablet).await.ok();
    for gone in [&alice, &laptop] {
        bed.get(WHOAMI).by(gone).await.refused(401, "M_UNKNOWN_TOKEN");
    }
    for (password, status, errcode) in [
        (json!(""), 400, "M_WEAK_PASSWORD"),
        (json!("x".repeat(1_025)), 413, "M_TOO_LARGE"),
        (json!(5), 400, "M_BAD_JSON"),
    ] {
        let mut request = json!({ "new_password": password });
        request["auth"] = json!({ "type": "m.login.password", "user": "alice", "password": "newer" });
        bed.post(CHANGE).by(&tablet).json(&request).await.refused(status, errcode);
    }
    bed.post(CHANGE).json(&proven(json!({ "new_password": "x" }))).await.refused(401, "M_MISSING_TOKEN");
}

#[tokio::test(start_paused = true)]
async fn b8_120_a_proof_is_for_one_user_device_operation_and_body() {
    let bed = Bed::new().await;
    let (alice, bob) = (bed.user("alice").await, bed.user("bob").await);
    let laptop = log_in(&bed, "LAPTOP", PASSWORD).await;
    let body = json!({ "new_password": "new", "logout_devices": false });
    let session = bed.post(CHANGE).by(&alice).json(&body).await.challenged()["session"].clone();
    let auth = by_password(&session, "alice", PASSWORD);
    // Somebody else's password; the right one by somebody else, on another device, for something else.
    let mut request = body.clone();
    request["auth"] = by_password(&session, "bob", PASSWORD);
    bed.post(CHANGE).by(&alice).json(&request).await.refused(403, "M_FORBIDDEN");
    request["auth"] = auth.clone();
    for other in [&bob, &laptop] {
        assert_eq!(bed.post(CHANGE).by(other).json(&request).await.challenged()["errcode"], "M_UNKNOWN");
    }
    let other = json!({ "auth": auth });
    assert_eq!(bed.post(DEACTIVATE).by(&alice).json(&other).await.challenged()["errcode"], "M_UNKNOWN");
    let path = format!("{DEVICES}/LAPTOP");
    assert_eq!(bed.delete(&path).by(&alice).json(&other).await.challenged()["errcode"], "M_UNKNOWN");
    // Of two at the same time one is carried out.
    let submit = || async { bed.post(CHANGE).by(&alice).json(&request).await };
    let (a, b) = tokio::join!(submit(), submit());
    assert_eq!([a, b].iter().filter(|answer| answer.status == 200).count(), 1);
    assert_eq!(bed.post(CHANGE).by(&alice).json(&request).await.challenged()["errcode"], "M_UNKNOWN");
    // And none after a quarter of an hour, or after a restart.
    for late in [true, false] {
        let session = bed.post(CHANGE).by(&alice).json(&body).await.challenged()["session"].clone();
        request["auth"] = by_password(&session, "alice", "new");
        let restarted = bed.restarted().await;
        let server = if late { &bed } else { &restarted };
        server.pass(if late { 15 * 60 } else { 0 }).await;
        let refused = server.post(CHANGE).by(&alice).json(&request).await.challenged();
        assert_eq!(refused["errcode"], "M_UNKNOWN");
    }
}

#[tokio::test(start_paused = true)]
async fn b8_120_empty_unknown_and_dummy_auth_authorise_nothing() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let email = json!({ "type": "m.id.thirdparty", "medium": "email", "address": "a@b.example" });
    for (auth, errcode) in [
        (json!(null), None),
        (json!({}), None),
        (json!({ "type": "m.login.dummy" }), Some("M_UNRECOGNIZED")),
        (json!({ "type": "m.oauth" }), Some("M_UNRECOGNIZED")),
        (json!({ "session": "made up" }), Some("M_UNKNOWN")),
        (json!({ "type": "m.login.dummy", "session": "" }), Some("M_UNKNOWN")),
        (
            json!({ "type": "m.login.password", "identifier": email, "password": PASSWORD }),
            Some("M_FORBIDDEN"),
        ),
    ] {
        let refused = bed.post(DEACTIVATE).by(&alice).json(&json!({ "auth": auth })).await.challenged();
        assert_eq!(refused["errcode"].as_str(), errcode, "{auth}");
    }
    bed.get(WHOAMI).by(&alice).await.ok();
}

#[tokio::test(start_paused = true)]
async fn devices_are_listed_renamed_and_deleted() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    for name in ["LAPTOP", "TABLET", "TV"] {
        log_in(&bed, name, PASSWORD).await;
    }
    assert_eq!(device_ids(&bed, &alice).await, ["LAPTOP", "PHONE", "TABLET", "TV"]);
    // Clients ask for every key, also of a device that has no name and was never seen.
    let new = json!({ "device_id": "TV", "display_name": null, "last_seen_ip": null, "last_seen_ts": null });
    assert_eq!(bed.get(DEVICES).by(&alice).await.ok()["devices"][3], new);
    // That the device was seen is written by the way.
    bed.pass(1).await;
    let phone = format!("{DEVICES}/PHONE");
    let seen = bed.get(&phone).by(&alice).await.ok();
    assert_eq!((&seen["device_id"], &seen["display_name"]), (&json!("PHONE"), &Value::Null));
    assert_eq!(seen["last_seen_ip"], "192.0.2.1");
    assert_eq!(seen["last_seen_ts"], 1_700_000_000_000_u64);
    assert_eq!(bed.put(&phone).by(&alice).json(&json!({ "display_name": "Phone" })).await.ok(), json!({}));
    bed.put(&phone).by(&alice).json(&json!({})).await.ok();
    assert_eq!(bed.get(&phone).by(&alice).await.ok()["display_name"], "Phone");
    let long = json!({ "display_name": "x".repeat(1_025) });
    bed.put(&phone).by(&alice).json(&long).await.refused(413, "M_TOO_LARGE");
    bed.put(&phone).by(&alice).json(&json!({ "display_name": 5 })).await.refused(400, "M_BAD_JSON");
    let unknown = format!("{DEVICES}/NOWHERE");
    bed.get(&unknown).by(&alice).await.refused(404, "M_NOT_FOUND");
    bed.put(&unknown).by(&alice).json(&json!({ "display_name": "x" })).await.refused(404, "M_NOT_FOUND");

    bed.delete(&format!("{DEVICES}/TV")).by(&alice).await.challenged();
    assert_eq!(device_ids(&bed, &alice).await.len(), 4);
    for _ in 0..2 {
        let answer = bed.delete(&format!("{DEVICES}/TV")).by(&alice).json(&proven(json!({}))).await;
        assert_eq!(answer.ok(), json!({}), "also when it is gone already");
    }
    let devices = json!({ "devices": ["LAPTOP", "TABLET", "NOWHERE"] });
    bed.post(DELETE).by(&alice).json(&devices).await.challenged();
    assert_eq!(bed.post(DELETE).by(&alice).json(&proven(devices)).await.ok(), json!({}));
    assert_eq!(device_ids(&bed, &alice).await, ["PHONE"]);
    bed.post(DELETE).by(&alice).json(&json!({})).await.refused(400, "M_BAD_JSON");
    let many: Vec<_> = (0..10_001).map(|number| number.to_string()).collect();
    bed.post(DELETE).by(&alice).json(&proven(json!({ "devices": many }))).await.refused(413, "M_TOO_LARGE");
}

/// Row 83 of the hostile input: a device id of another user is none of one's own.
#[tokio::test(start_paused = true)]
async fn b4_83_devices_of_others_are_not_there() {
    let bed = Bed::new().await;
    bed.user("alice").await;
    let laptop = log_in(&bed, "LAPTOP", PASSWORD).await;
    let bob = bed.user("bob").await;
    let path = format!("{DEVICES}/LAPTOP");
    bed.get(&path).by(&bob).await.refused(404, "M_NOT_FOUND");
    bed.put(&path).by(&bob).json(&json!({ "display_name": "x" })).await.refused(404, "M_NOT_FOUND");
    let auth = by_password(&json!(null), "bob", PASSWORD);
    bed.delete(&path).by(&bob).json(&json!({ "auth": auth })).await.ok();
    bed.post(DELETE).by(&bob).json(&json!({ "auth": auth, "devices": ["LAPTOP"] })).await.ok();
    assert_eq!(device_ids(&bed, &laptop).await, ["LAPTOP", "PHONE"]);
}

/// A proof of the wrong password may be tried again, one of another user's is refused, right or wrong.
#[tokio::test(start_paused = true)]
async fn a_device_ends_with_the_password_of_its_user_only() {
    let bed = Bed::new().await;
    let (alice, bob) = (bed.user("alice").await, bed.user("bob").await);
    let laptop = log_in(&bed, "LAPTOP", PASSWORD).await;
    let path = format!("{DEVICES}/LAPTOP");
    let delete = |user: &str, password: &str| {
        let mut auth = by_password(&json!(null), user, password);
        auth.as_object_mut().expect("an object").remove("session");
        bed.delete(&path).by(&alice).json(&json!({ "auth": auth }))
    };
    let wrong = delete(alice.id.as_str(), "wrong").await.challenged();
    assert_eq!(wrong["errcode"], "M_FORBIDDEN");
    assert!(wrong["error"].is_string());
    for password in [PASSWORD, "wrong"] {
        delete(bob.id.as_str(), password).await.refused(403, "M_FORBIDDEN");
        delete("nobody", password).await.refused(403, "M_FORBIDDEN");
    }
    bed.get(&path).by(&alice).await.ok();
    bed.get("/_matrix/client/v3/sync").by(&laptop).await.ok();
    delete(alice.id.as_str(), PASSWORD).await.ok();
    bed.get(&path).by(&alice).await.refused(404, "M_NOT_FOUND");
    bed.get("/_matrix/client/v3/sync").by(&laptop).await.refused(401, "M_UNKNOWN_TOKEN");
}

#[tokio::test(start_paused = true)]
async fn an_account_ends_with_its_password() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let challenge = bed.post(DEACTIVATE).by(&alice).json(&json!({})).await.challenged();
    assert_eq!(challenge["flows"], json!([{ "stages": ["m.login.password"] }]));
    let auth = |password: &str| {
        let identifier = json!({ "type": "m.id.user", "user": alice.id });
        json!({ "auth": { "type": "m.login.password", "identifier": identifier, "password": password } })
    };
    let wrong = bed.post(DEACTIVATE).by(&alice).json(&auth("wrong")).await.challenged();
    assert_eq!(wrong["errcode"], "M_FORBIDDEN");
    bed.post(DEACTIVATE).by(&alice).json(&auth(PASSWORD)).await.ok();
    let login = bed.post(LOGIN).json(&auth(PASSWORD)["auth"]).await;
    login.refused(403, "M_USER_DEACTIVATED");
}

#[tokio::test(start_paused = true)]
async fn a_deactivated_account_leaves_its_rooms_though_the_server_crashes() {
    let bed = Bed::new().await;
    let (alice, bob) = (bed.user("alice").await, bed.user("bob").await);
    let invite = json!({ "invite": [alice.id] });
    let (joined, invited) = (bed.room(&bob, invite.clone()).await, bed.room(&bob, invite).await);
    bed.post(&format!("/_matrix/client/v3/join/{joined}")).by(&alice).json(&json!({})).await.ok();
    let body = bed.post(DEACTIVATE).by(&alice).json(&proven(json!({ "erase": true }))).await.ok();
    assert_eq!(body, json!({ "id_server_unbind_result": "success" }));
    bed.get(WHOAMI).by(&alice).await.refused(401, "M_UNKNOWN_TOKEN");

    let bed = bed.restarted().await;
    bed.upkeep().catch_up().await.expect("done");
    for room in [&joined, &invited] {
        let path = format!("/_matrix/client/v3/rooms/{room}/state/m.room.member/{}", alice.id);
        assert_eq!(bed.get(&path).by(&bob).await.ok()["membership"], "leave");
    }
    bed.get("/_matrix/client/v3/profile/@alice:plop.example").await.refused(404, "M_NOT_FOUND");
    let available = bed.get("/_matrix/client/v3/register/available?username=alice").await;
    available.refused(400, "M_USER_IN_USE");
}
