//! Logins, tokens and their end over HTTP.

use plop_accounts::moderation::Decision;
use plop_base::Actor;
use serde_json::{Value, json};

use crate::bed::{Bed, PASSWORD};

const LOGIN: &str = "/_matrix/client/v3/login";
const REFRESH: &str = "/_matrix/client/v3/refresh";
const WHOAMI: &str = "/_matrix/client/v3/account/whoami";

fn password(user: &str, password: &str) -> Value {
    json!({
        "type": "m.login.password",
        "identifier": { "type": "m.id.user", "user": user },
        "password": password,
    })
}

#[tokio::test(start_paused = true)]
async fn the_flows_are_those_that_a_login_takes() {
    let bed = Bed::new().await;
    let body = bed.get(LOGIN).await.ok();
    let flows = json!([{ "type": "m.login.password" }, { "type": "m.login.token", "get_login_token": true }]);
    assert_eq!(body, json!({ "flows": flows }));
}

#[tokio::test(start_paused = true)]
async fn a_password_opens_a_session_however_the_user_is_named() {
    let bed = Bed::new().await;
    bed.user("alice").await;
    for path in [LOGIN, "/_matrix/client/r0/login"] {
        for login in [
            password("alice", PASSWORD),
            password("Alice", PASSWORD),
            password("@alice:plop.example", PASSWORD),
            password("@ALICE:plop.example", PASSWORD),
            json!({ "type": "m.login.password", "user": "alice", "password": PASSWORD }),
            json!({ "type": "m.login.password", "user": "@alice:plop.example", "password": PASSWORD }),
        ] {
            let body = bed.post(path).json(&login).await.ok();
            assert_eq!(body["user_id"], "@alice:plop.example");
            assert_eq!(body.as_object().expect("an object").len(), 3, "{body}");
            let whoami = bed.get(WHOAMI).token(body["access_token"].as_str().expect("a token")).await.ok();
            assert_eq!(whoami, json!({ "user_id": "@alice:plop.example", "device_id": body["device_id"] }));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_names_its_device_and_where_the_server_is() {
    let url = "https://matrix.plop.example";
    let bed = Bed::with(|choices| choices.settings.public_url = Some(url.to_owned())).await;
    let alice = bed.user("alice").await;
    let mut login = password("alice", PASSWORD);
    login["device_id"] = json!("LAPTOP");
    login["initial_device_display_name"] = json!("Laptop");
    let body = bed.post(LOGIN).json(&login).await.ok();
    assert_eq!(body["device_id"], "LAPTOP");
    assert_eq!(body["well_known"], json!({ "m.homeserver": { "base_url": url } }));
    let device = bed.get("/_matrix/client/v3/devices/LAPTOP").by(&alice).await.ok();
    assert_eq!(device["display_name"], "Laptop");
}

/// Row 119 of the hostile input too: an empty password is no password.
#[tokio::test(start_paused = true)]
async fn b8_116_119_who_is_not_here_is_answered_like_a_wrong_password() {
    let bed = Bed::new().await;
    bed.user("alice").await;
    let wrong = bed.post(LOGIN).json(&password("alice", "wrong")).await.refused(403, "M_FORBIDDEN");
    for login in [
        password("alice", ""),
        password("bob", PASSWORD),
        password("bob", ""),
        password("*)(uid=*", ""),
        password("@alice:elsewhere.example", PASSWORD),
        password("@alice", PASSWORD),
        password("", PASSWORD),
    ] {
        let body = bed.post(LOGIN).json(&login).await.refused(403, "M_FORBIDDEN");
        assert_eq!(body, wrong, "{login}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_login_is_refused() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let third_party = json!({ "type": "m.id.thirdparty", "medium": "email", "address": "a@b.example" });
    let phone = json!({ "type": "m.id.phone", "country": "GB", "phone": "1" });
    let by =
        |identifier: Value| json!({ "type": "m.login.password", "identifier": identifier, "password": "x" });
    let mut long = password("alice", PASSWORD);
    long["device_id"] = json!("x".repeat(256));
    let mut name = password("alice", PASSWORD);
    name["initial_device_display_name"] = json!("x".repeat(1_025));
    for (body, status, errcode) in [
        (json!({}), 400, "M_BAD_JSON"),
        (json!([]), 400, "M_BAD_JSON"),
        (json!({ "type": 5 }), 400, "M_BAD_JSON"),
        (json!({ "type": "m.login.password" }), 400, "M_MISSING_PARAM"),
        (json!({ "type": "m.login.password", "user": "alice" }), 400, "M_MISSING_PARAM"),
        (json!({ "type": "m.login.password", "user": ["alice"], "password": "x" }), 400, "M_BAD_JSON"),
        (json!({ "type": "m.login.token" }), 400, "M_MISSING_PARAM"),
        (json!({ "type": "m.login.token", "token": "made up" }), 403, "M_FORBIDDEN"),
        (json!({ "type": "m.login.sso" }), 400, "M_UNKNOWN"),
        (json!({ "type": "m.login.application_service", "user": "alice" }), 400, "M_UNKNOWN"),
        (by(json!({ "user": "alice" })), 400, "M_BAD_JSON"),
        (by(json!({ "type": "org.example.id", "user": "alice" })), 400, "M_UNKNOWN"),
        (by(third_party), 403, "M_FORBIDDEN"),
        (by(phone), 403, "M_FORBIDDEN"),
        (
            json!({ "type": "m.login.password", "medium": "email", "address": "a@b", "password": "x" }),
            403,
            "M_FORBIDDEN",
        ),
        (long, 400, "M_INVALID_PARAM"),
        (name, 413, "M_TOO_LARGE"),
    ] {
        bed.post(LOGIN).json(&body).await.refused(status, errcode);
    }
    assert_eq!(
        bed.get("/_matrix/client/v3/devices").by(&alice).await.ok()["devices"]
            .as_array()
            .expect("a list")
            .len(),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn b8_115_many_passwords_are_too_many_and_the_owner_is_not_shut_out() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    bed.get(WHOAMI).by(&alice).await.ok();
    // Where she was seen is written by the way.
    bed.pass(1).await;
    for attempt in 0..10 {
        let from = format!("198.51.100.{attempt}");
        bed.post(LOGIN).from(&from).json(&password("alice", "guess")).await.refused(403, "M_FORBIDDEN");
    }
    let limited = bed.post(LOGIN).from("203.0.113.1").json(&password("alice", PASSWORD)).await;
    let seconds: u64 = limited.header("retry-after").expect("a header").parse().expect("seconds");
    let body = limited.refused(429, "M_LIMIT_EXCEEDED");
    assert_eq!(body["retry_after_ms"].as_u64().expect("a number").div_ceil(1000), seconds);
    bed.post(LOGIN).json(&password("alice", PASSWORD)).await.ok();
    bed.pass(seconds).await;
    bed.post(LOGIN).from("203.0.113.1").json(&password("alice", PASSWORD)).await.ok();
}

#[tokio::test(start_paused = true)]
async fn a_login_token_lets_one_more_device_in() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let path = "/_matrix/client/v1/login/get_token";
    let session = bed.post(path).by(&alice).await.challenged()["session"].clone();
    let mut auth = password("alice", PASSWORD);
    auth["session"] = session;
    let body = bed.post(path).by(&alice).json(&json!({ "auth": auth })).await.ok();
    assert_eq!(body["expires_in_ms"], 120_000);
    let login = json!({ "type": "m.login.token", "token": body["login_token"] });
    assert_eq!(bed.post(LOGIN).json(&login).await.ok()["user_id"], alice.id.as_str());
    bed.post(LOGIN).json(&login).await.refused(403, "M_FORBIDDEN");
}

#[tokio::test(start_paused = true)]
async fn b8_123_a_refresh_can_be_repeated_until_its_answer_is_used_and_a_used_token_ends_the_family() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let mut login = password("alice", PASSWORD);
    login["refresh_token"] = json!(true);
    let first = bed.post(LOGIN).json(&login).await.ok();
    assert_eq!(first["expires_in_ms"], 3_600_000);
    let text = |value: &Value| value.as_str().expect("a token").to_owned();

    // The answer was lost, and so is the process.
    bed.post(REFRESH).json(&json!({ "refresh_token": first["refresh_token"] })).await.ok();
    let bed = bed.restarted().await;
    let refresh = |token: &Value| bed.post(REFRESH).json(&json!({ "refresh_token": token }));
    let second = refresh(&first["refresh_token"]).await.ok();
    assert_eq!(second["expires_in_ms"], 3_600_000);
    bed.get(WHOAMI).token(&text(&second["access_token"])).await.ok();
    bed.get(WHOAMI).token(&text(&first["access_token"])).await.refused(401, "M_UNKNOWN_TOKEN");

    let reused = refresh(&first["refresh_token"]).await.refused(401, "M_UNKNOWN_TOKEN");
    assert_eq!(reused["soft_logout"], true);
    bed.get(WHOAMI).token(&text(&second["access_token"])).await.refused(401, "M_UNKNOWN_TOKEN");
    let gone = refresh(&second["refresh_token"]).await.refused(401, "M_UNKNOWN_TOKEN");
    assert_eq!(gone.get("soft_logout"), None);
    bed.get(WHOAMI).by(&alice).await.ok();
    for (body, errcode) in [
        ("{", "M_NOT_JSON"),
        ("", "M_BAD_JSON"),
        ("{}", "M_BAD_JSON"),
        (r#"{"refresh_token":1}"#, "M_BAD_JSON"),
    ] {
        bed.post(REFRESH).text(body).await.refused(400, errcode);
    }
}

#[tokio::test(start_paused = true)]
async fn b8_123_an_expired_token_is_a_soft_logout_and_nothing_refreshes_after_a_logout() {
    let bed = Bed::new().await;
    bed.user("alice").await;
    let mut login = password("alice", PASSWORD);
    login["refresh_token"] = json!(true);
    let tokens = bed.post(LOGIN).json(&login).await.ok();
    let access = tokens["access_token"].as_str().expect("a token").to_owned();
    let refresh = json!({ "refresh_token": tokens["refresh_token"] });
    bed.pass(3_600).await;
    assert_eq!(bed.get(WHOAMI).token(&access).await.refused(401, "M_UNKNOWN_TOKEN")["soft_logout"], true);
    let fresh = bed.post(REFRESH).json(&refresh).await.ok();
    let access = fresh["access_token"].as_str().expect("a token").to_owned();
    bed.post("/_matrix/client/v3/logout").token(&access).await.ok();
    for token in [&tokens["refresh_token"], &fresh["refresh_token"]] {
        let body = bed.post(REFRESH).json(&json!({ "refresh_token": token })).await;
        assert_eq!(body.refused(401, "M_UNKNOWN_TOKEN").get("soft_logout"), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_logout_ends_the_session_and_all_of_them_end_together() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let mut others = Vec::new();
    for _ in 0..2 {
        let body = bed.post(LOGIN).json(&password("alice", PASSWORD)).await.ok();
        others.push(body["access_token"].as_str().expect("a token").to_owned());
    }
    assert_eq!(bed.post("/_matrix/client/v3/logout").by(&alice).await.ok(), json!({}));
    let gone = bed.get(WHOAMI).by(&alice).await.refused(401, "M_UNKNOWN_TOKEN");
    assert_eq!(gone.get("soft_logout"), None);
    let devices = bed.get("/_matrix/client/v3/devices").token(&others[0]).await.ok();
    assert_eq!(devices["devices"].as_array().expect("a list").len(), 2);
    // Neither the body nor its absence matters.
    assert_eq!(
        bed.post("/_matrix/client/v3/logout/all").token(&others[0]).text("no json").await.ok(),
        json!({})
    );
    for token in &others {
        bed.get(WHOAMI).token(token).await.refused(401, "M_UNKNOWN_TOKEN");
        bed.get("/_matrix/client/v3/sync").token(token).await.refused(401, "M_UNKNOWN_TOKEN");
    }
    for path in ["/_matrix/client/v3/logout", "/_matrix/client/v3/logout/all"] {
        bed.post(path).token("invalid").await.refused(401, "M_UNKNOWN_TOKEN");
        bed.post(path).await.refused(401, "M_MISSING_TOKEN");
    }
}

#[tokio::test(start_paused = true)]
async fn b8_117_a_locked_account_can_do_nothing_but_log_out() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let mut login = password("alice", PASSWORD);
    login["refresh_token"] = json!(true);
    let tokens = bed.post(LOGIN).json(&login).await.ok();
    let decide = |locked| bed.api.accounts.decide(&Actor::Server, &alice.id, Decision::Locked(locked));
    decide(true).await.expect("locked");
    assert_eq!(bed.get(WHOAMI).by(&alice).await.refused(401, "M_USER_LOCKED")["soft_logout"], true);
    let refused = bed.post(LOGIN).json(&login).await.refused(401, "M_USER_LOCKED");
    assert_eq!(refused["soft_logout"], true);
    bed.post(LOGIN).json(&password("alice", "wrong")).await.refused(403, "M_FORBIDDEN");
    let refresh = json!({ "refresh_token": tokens["refresh_token"] });
    bed.post(REFRESH).json(&refresh).await.refused(401, "M_USER_LOCKED");
    // The sessions are still there.
    decide(false).await.expect("unlocked");
    bed.get(WHOAMI).by(&alice).await.ok();
    bed.post(REFRESH).json(&refresh).await.ok();
    decide(true).await.expect("locked");
    bed.post("/_matrix/client/v3/logout").by(&alice).await.ok();
    bed.get(WHOAMI).by(&alice).await.refused(401, "M_UNKNOWN_TOKEN");
}

#[tokio::test(start_paused = true)]
async fn b8_117_a_suspended_account_logs_in_and_reads() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    bed.api.accounts.decide(&Actor::Server, &alice.id, Decision::Suspended(true)).await.expect("suspended");
    let login = bed.post(LOGIN).json(&password("alice", PASSWORD)).await.ok();
    let token = login["access_token"].as_str().expect("a token");
    bed.get(WHOAMI).token(token).await.ok();
    let path = "/_matrix/client/v3/profile/@alice:plop.example/displayname";
    let name = json!({ "displayname": "Alice" });
    bed.put(path).token(token).json(&name).await.refused(403, "M_USER_SUSPENDED");
    bed.delete(path).by(&alice).await.refused(403, "M_USER_SUSPENDED");
    let path = "/_matrix/client/v3/presence/@alice:plop.example/status";
    bed.put(path).by(&alice).json(&json!({ "presence": "online" })).await.refused(403, "M_USER_SUSPENDED");
}

#[tokio::test(start_paused = true)]
async fn b8_117_a_deactivated_account_is_told_to_its_owner_only() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let mut login = password("alice", PASSWORD);
    login["refresh_token"] = json!(true);
    let tokens = bed.post(LOGIN).json(&login).await.ok();
    plop_bed::deactivate(&bed.api.accounts, &alice.actor(), false).await.expect("deactivated");
    bed.post(LOGIN).json(&login).await.refused(403, "M_USER_DEACTIVATED");
    bed.post(LOGIN).json(&password("alice", "wrong")).await.refused(403, "M_FORBIDDEN");
    bed.get(WHOAMI).by(&alice).await.refused(401, "M_UNKNOWN_TOKEN");
    let refresh = json!({ "refresh_token": tokens["refresh_token"] });
    bed.post(REFRESH).json(&refresh).await.refused(401, "M_UNKNOWN_TOKEN");
}

/// Row 118 of the hostile input, through the router.
#[tokio::test(start_paused = true)]
async fn b8_118_a_request_has_one_access_token() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let in_query = |tokens: &str| bed.get(&format!("{WHOAMI}?{tokens}"));
    in_query(&format!("access_token={}", alice.token)).await.ok();
    bed.get(WHOAMI).await.refused(401, "M_MISSING_TOKEN");
    bed.get(WHOAMI).token("").await.refused(401, "M_MISSING_TOKEN");
    in_query("access_token=").await.refused(401, "M_MISSING_TOKEN");
    in_query(&format!("access_token={}", alice.token)).by(&alice).await.refused(401, "M_MISSING_TOKEN");
    let two = format!("access_token={0}&access_token={0}", alice.token);
    in_query(&two).await.refused(401, "M_MISSING_TOKEN");
    for unknown in [&alice.token[1..], &format!("{}x", alice.token), "made up"] {
        bed.get(WHOAMI).token(unknown).await.refused(401, "M_UNKNOWN_TOKEN");
    }
}
