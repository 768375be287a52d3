//! Registration over HTTP.

use hmac::{Hmac, KeyInit as _, Mac as _};
use plop_accounts::parameters::RegistrationMode;
use plop_accounts::registration_tokens::NewRegistrationToken;
use plop_base::Actor;
use serde_json::{Value, json};
use sha1::Sha1;

use crate::bed::{Bed, PASSWORD};

const REGISTER: &str = "/_matrix/client/v3/register";
const AVAILABLE: &str = "/_matrix/client/v3/register/available";
const VALIDITY: &str = "/_matrix/client/v1/register/m.login.registration_token/validity";
const SHARED_SECRET: &str = "/_synapse/admin/v1/register";
const WHOAMI: &str = "/_matrix/client/v3/account/whoami";

/// A registration that proves what open registration asks for.
fn account(username: &str) -> Value {
    json!({ "username": username, "password": PASSWORD, "auth": { "type": "m.login.dummy" } })
}

async fn by_token() -> Bed {
    Bed::with(|choices| choices.parameters.registration = RegistrationMode::Token).await
}

async fn token(bed: &Bed) -> String {
    let new = NewRegistrationToken { uses_allowed: Some(1), ..NewRegistrationToken::default() };
    bed.api.accounts.create_registration_token(&Actor::Server, new).await.expect("a token")
}

#[tokio::test(start_paused = true)]
async fn one_request_registers_where_registration_is_open() {
    let bed = Bed::new().await;
    for (path, name) in [(REGISTER, "alice"), ("/_matrix/client/r0/register", "bob")] {
        let mut request = account(name);
        request["device_id"] = json!("PHONE");
        request["initial_device_display_name"] = json!("Phone");
        let body = bed.post(path).json(&request).await.ok();
        assert_eq!(body.as_object().expect("an object").len(), 3, "{body}");
        let token = body["access_token"].as_str().expect("a token");
        let whoami = bed.get(WHOAMI).token(token).await.ok();
        assert_eq!(whoami, json!({ "user_id": body["user_id"], "device_id": "PHONE" }));
        let device = bed.get("/_matrix/client/v3/devices/PHONE").token(token).await.ok();
        assert_eq!(device["display_name"], "Phone");
    }
}

#[tokio::test(start_paused = true)]
async fn a_registration_is_challenged_first_and_keeps_its_session() {
    let bed = Bed::new().await;
    for body in [json!({ "username": "alice" }), json!({ "username": "alice", "auth": {} })] {
        let challenge = bed.post(REGISTER).json(&body).await.challenged();
        assert_eq!(challenge["flows"], json!([{ "stages": ["m.login.dummy"] }]));
        assert_eq!(challenge.get("errcode"), None);
    }
    let session = bed.post(REGISTER).json(&json!({})).await.challenged()["session"].clone();
    let mut request = account("alice");
    request["auth"]["session"] = session;
    request["refresh_token"] = json!(true);
    let body = bed.post(REGISTER).json(&request).await.ok();
    assert_eq!(
        (&body["user_id"], &body["expires_in_ms"]),
        (&json!("@alice:plop.example"), &json!(3_600_000))
    );
    assert!(body["refresh_token"].is_string());
    request["username"] = json!("bob");
    let again = bed.post(REGISTER).json(&request).await.challenged();
    assert_eq!(again["errcode"], "M_UNKNOWN", "a session registers one account");
}

#[tokio::test(start_paused = true)]
async fn without_a_login_there_is_nothing_but_the_user() {
    let bed = Bed::new().await;
    let mut request = account("alice");
    request["inhibit_login"] = json!(true);
    assert_eq!(bed.post(REGISTER).json(&request).await.ok(), json!({ "user_id": "@alice:plop.example" }));
    let chosen = bed.post(REGISTER).json(&json!({ "auth": { "type": "m.login.dummy" } })).await.ok();
    assert!(chosen["user_id"].as_str().expect("a user").ends_with(":plop.example"));
    assert!(chosen["access_token"].is_string() && chosen["device_id"].is_string());
}

#[tokio::test(start_paused = true)]
async fn b8_126_names_are_looked_at_before_anything_is_proven() {
    let bed = Bed::new().await;
    bed.user("alice").await;
    for (name, errcode) in [
        ("alice", "M_USER_IN_USE"),
        ("ALICE", "M_USER_IN_USE"),
        ("server", "M_EXCLUSIVE"),
        ("Root", "M_EXCLUSIVE"),
        ("a b", "M_INVALID_USERNAME"),
        ("", "M_INVALID_USERNAME"),
        ("@bob:plop.example", "M_INVALID_USERNAME"),
        (&"a".repeat(250), "M_INVALID_USERNAME"),
    ] {
        bed.post(REGISTER).json(&json!({ "username": name })).await.refused(400, errcode);
        bed.post(REGISTER).json(&account(name)).await.refused(400, errcode);
        let name = name.replace(' ', "%20");
        bed.get(&format!("{AVAILABLE}?username={name}")).await.refused(400, errcode);
    }
    assert_eq!(bed.get(&format!("{AVAILABLE}?username=bob")).await.ok(), json!({ "available": true }));
    bed.get(AVAILABLE).await.refused(400, "M_MISSING_PARAM");
}

#[tokio::test(start_paused = true)]
async fn names_are_of_few_characters_and_passwords_of_all() {
    let bed = Bed::new().await;
    for character in "!\":?\\@[]{|}£é\n'".chars() {
        let name = format!("user-{character}-name");
        let request = json!({ "username": name, "password": PASSWORD });
        bed.post(REGISTER).json(&request).await.refused(400, "M_INVALID_USERNAME");
        bed.post(REGISTER).from("203.0.113.1").json(&account(&name)).await.refused(400, "M_INVALID_USERNAME");
    }
    for (name, id) in [
        ("userq3._=-/+", "@userq3._=-/+:plop.example"),
        ("user-UPPER", "@user-upper:plop.example"),
        ("user3", "@user3:plop.example"),
    ] {
        assert_eq!(bed.post(REGISTER).from("203.0.113.2").json(&account(name)).await.ok()["user_id"], id);
    }
    let mut request = account("accents");
    request["password"] = json!("übers3kr1t");
    bed.post(REGISTER).from("203.0.113.2").json(&request).await.ok();
    let login = json!({ "type": "m.login.password", "user": "accents", "password": "übers3kr1t" });
    bed.post("/_matrix/client/v3/login").json(&login).await.ok();
}

#[tokio::test(start_paused = true)]
async fn b8_126_of_two_registrations_of_one_name_one_wins() {
    let bed = Bed::new().await;
    let alice = account("alice");
    let register = || async { bed.post(REGISTER).json(&alice).await };
    let (a, b) = tokio::join!(register(), register());
    let (won, lost) = if a.status == 200 { (a, b) } else { (b, a) };
    won.ok();
    lost.refused(400, "M_USER_IN_USE");
}

#[tokio::test(start_paused = true)]
async fn b8_126_closed_registration_is_closed_everywhere() {
    let bed = Bed::with(|choices| choices.parameters.registration = RegistrationMode::Closed).await;
    bed.post(REGISTER).json(&json!({})).await.refused(403, "M_FORBIDDEN");
    bed.post(REGISTER).json(&account("alice")).await.refused(403, "M_FORBIDDEN");
    bed.get(&format!("{AVAILABLE}?username=alice")).await.refused(403, "M_FORBIDDEN");
    bed.get(&format!("{VALIDITY}?token=abc")).await.refused(403, "M_FORBIDDEN");
}

/// Row 125 of the hostile input: there are no guests where nobody has said so.
#[tokio::test(start_paused = true)]
async fn b8_125_neither_guests_nor_application_services_register() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    bed.post(&format!("{REGISTER}?kind=guest")).json(&json!({})).await.refused(403, "M_FORBIDDEN");
    bed.post(&format!("{REGISTER}?kind=robot")).json(&account("bob")).await.refused(400, "M_INVALID_PARAM");
    bed.post(&format!("{REGISTER}?kind=user")).json(&account("bob")).await.ok();
    let mut upgrade = account("carol");
    upgrade["guest_access_token"] = json!(alice.token);
    bed.post(REGISTER).json(&upgrade).await.refused(403, "M_FORBIDDEN");
    let service = json!({ "type": "m.login.application_service", "username": "irc_bob" });
    bed.post(REGISTER).json(&service).await.refused(401, "M_UNKNOWN_TOKEN");
    // Other types mean nothing here; clients of before 2017 sent one.
    let mut former = account("dave");
    former["type"] = json!("m.login.password");
    bed.post(REGISTER).json(&former).await.ok();
}

#[tokio::test(start_paused = true)]
async fn a_registration_token_is_shown_once() {
    let bed = by_token().await;
    let token = token(&bed).await;
    let with = |username: &str, token: &str| {
        let auth = json!({ "type": "m.login.registration_token", "token": token });
        json!({ "username": username, "password": PASSWORD, "auth": auth })
    };
    let validity = |token: &str| bed.get(&format!("{VALIDITY}?token={token}"));
    assert_eq!(validity(&token).await.ok(), json!({ "valid": true }));
    assert_eq!(validity("guess").await.ok(), json!({ "valid": false }));
    let challenge = bed.post(REGISTER).json(&json!({})).await.challenged();
    assert_eq!(challenge["flows"], json!([{ "stages": ["m.login.registration_token"] }]));
    assert_eq!(challenge["params"], json!({}));
    let wrong = bed.post(REGISTER).json(&with("alice", "guess")).await.challenged();
    assert_eq!((&wrong["errcode"], wrong.get("completed")), (&json!("M_UNAUTHORIZED"), None));
    // Row 120 of the hostile input: what another mode would take proves nothing.
    let dummy = bed.post(REGISTER).json(&account("alice")).await.challenged();
    assert_eq!(dummy["errcode"], "M_UNRECOGNIZED");
    bed.post(REGISTER).json(&with("alice", &token)).await.ok();
    assert_eq!(validity(&token).await.ok(), json!({ "valid": false }));
    bed.post(REGISTER).json(&with("bob", &token)).await.challenged();
}

#[tokio::test(start_paused = true)]
async fn what_is_no_registration_is_refused() {
    let bed = Bed::new().await;
    let with = |key: &str, value: Value| {
        let mut request = account("alice");
        request[key] = value;
        request
    };
    for (body, status, errcode) in [
        (with("password", json!("")), 400, "M_WEAK_PASSWORD"),
        (with("password", json!("x".repeat(1_025))), 413, "M_TOO_LARGE"),
        (with("device_id", json!("x".repeat(256))), 400, "M_INVALID_PARAM"),
        (with("initial_device_display_name", json!("x".repeat(1_025))), 413, "M_TOO_LARGE"),
        (with("username", json!(5)), 400, "M_BAD_JSON"),
        (with("auth", json!("dummy")), 400, "M_BAD_JSON"),
        (with("auth", json!({ "type": "m.login.password", "user": "alice" })), 400, "M_MISSING_PARAM"),
        (with("auth", json!({ "type": "m.login.registration_token" })), 400, "M_MISSING_PARAM"),
        (with("inhibit_login", json!("yes")), 400, "M_BAD_JSON"),
    ] {
        bed.post(REGISTER).json(&body).await.refused(status, errcode);
    }
    for text in ["{", "\u{0}", r#"{"username":"alice""#] {
        bed.post(REGISTER).text(text).await.refused(400, "M_NOT_JSON");
    }
    bed.post(REGISTER).text(b"{ \"test\":\"a\x81\" }".to_vec()).await.refused(400, "M_NOT_JSON");
    bed.post(REGISTER).text("[]").await.refused(400, "M_BAD_JSON");
    let deep = format!("{}{}", r#"{"a":"#.repeat(10_000), "}".repeat(10_000));
    bed.post(REGISTER).text(deep).await.refused(400, "M_NOT_JSON");
    assert_eq!(bed.get(&format!("{AVAILABLE}?username=alice")).await.ok(), json!({ "available": true }));
}

#[tokio::test(start_paused = true)]
async fn b8_116_an_address_registers_and_asks_for_names_so_often_and_no_more() {
    let bed = Bed::new().await;
    for attempt in 0..30 {
        let anonymous = json!({ "auth": { "type": "m.login.dummy" }, "inhibit_login": true });
        match attempt % 3 {
            0 => bed.post(REGISTER).json(&anonymous).await.ok(),
            1 => bed.get(&format!("{AVAILABLE}?username=user{attempt}")).await.ok(),
            _ => bed.get(&format!("{VALIDITY}?token=guess{attempt}")).await.ok(),
        };
    }
    bed.post(REGISTER).json(&account("alice")).await.refused(429, "M_LIMIT_EXCEEDED");
    bed.get(&format!("{AVAILABLE}?username=alice")).await.refused(429, "M_LIMIT_EXCEEDED");
    bed.get(&format!("{VALIDITY}?token=guess")).await.refused(429, "M_LIMIT_EXCEEDED");
    bed.post(REGISTER).from("203.0.113.1").json(&account("alice")).await.ok();
}

/// The code over a nonce, a user named alice, and what else is given.
fn code(nonce: &str, rest: &str) -> String {
    code_of(nonce, "alice", rest)
}

fn code_of(nonce: &str, user: &str, rest: &str) -> String {
    let mut code = Hmac::<Sha1>::new_from_slice(b"shared").expect("a key");
    code.update(format!("{nonce}\0{user}\0{PASSWORD}\0{rest}").as_bytes());
    code.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test(start_paused = true)]
async fn who_knows_the_secret_registers_administrators_where_registration_is_closed() {
    let bed = Bed::with(|choices| choices.parameters.registration = RegistrationMode::Closed).await;
    let nonce = || async { bed.get(SHARED_SECRET).await.ok()["nonce"].as_str().expect("a nonce").to_owned() };
    let request = |nonce: &str, mac: &str| {
        json!({ "nonce": nonce, "username": "alice", "password": PASSWORD, "admin": true, "mac": mac,
            "displayname": "Alice" })
    };
    let first = nonce().await;
    bed.post(SHARED_SECRET)
        .json(&request(&first, &code(&first, "notadmin")))
        .await
        .refused(403, "M_FORBIDDEN");
    bed.post(SHARED_SECRET).json(&request(&first, &code(&first, "admin"))).await.refused(400, "M_UNKNOWN");
    let second = nonce().await;
    let body = bed.post(SHARED_SECRET).json(&request(&second, &code(&second, "admin"))).await.ok();
    assert_eq!(
        (&body["user_id"], &body["home_server"]),
        (&json!("@alice:plop.example"), &json!("plop.example"))
    );
    bed.get(WHOAMI).token(body["access_token"].as_str().expect("a token")).await.ok();
    let name = bed.get("/_matrix/client/v3/profile/@alice:plop.example/displayname").await.ok();
    assert_eq!(name, json!({ "displayname": "Alice" }));
    let third = nonce().await;
    bed.post(SHARED_SECRET)
        .json(&request(&third, &code(&third, "admin")))
        .await
        .refused(400, "M_USER_IN_USE");
    bed.post(SHARED_SECRET).json(&json!({ "nonce": third })).await.refused(400, "M_BAD_JSON");
}

/// The code is over the name as it was given, the account has it in small letters.
#[tokio::test(start_paused = true)]
async fn who_knows_the_secret_registers_users_whose_names_are_names() {
    let bed = Bed::new().await;
    let register = async |name: &str| {
        let nonce = bed.get(SHARED_SECRET).await.ok()["nonce"].as_str().expect("a nonce").to_owned();
        let mac = code_of(&nonce, name, "notadmin");
        let request =
            json!({ "nonce": nonce, "username": name, "password": PASSWORD, "admin": false, "mac": mac });
        bed.post(SHARED_SECRET).json(&request).await
    };
    for (name, id) in
        [("shared-secret", "@shared-secret:plop.example"), ("UPPER-Secret", "@upper-secret:plop.example")]
    {
        let body = register(name).await.ok();
        assert_eq!(body["user_id"], id);
        bed.get(WHOAMI).token(body["access_token"].as_str().expect("a token")).await.ok();
    }
    register("us,er").await.refused(400, "M_INVALID_USERNAME");
}

/// Row 124 of the hostile input, at the edge.
#[tokio::test(start_paused = true)]
async fn b8_124_without_a_secret_there_is_no_such_endpoint() {
    let bed = Bed::with(|choices| choices.parameters.shared_secret = None).await;
    bed.get(SHARED_SECRET).await.refused(404, "M_UNRECOGNIZED");
    let request = json!({ "nonce": "", "username": "alice", "password": "x", "mac": "" });
    bed.post(SHARED_SECRET).json(&request).await.refused(404, "M_UNRECOGNIZED");
}

#[tokio::test(start_paused = true)]
async fn a_password_is_any_text() {
    let bed = Bed::new().await;
    let request = json!({ "username": "test_user", "password": "\u{fc}bers3kr1t", "device_id": "xyzzy",
        "initial_device_display_name": "display_name" });
    let session =
        bed.post("/_matrix/client/r0/register").json(&request).await.challenged()["session"].clone();
    let mut proven = request;
    proven["auth"] = json!({ "session": session, "type": "m.login.dummy" });
    let body = bed.post("/_matrix/client/r0/register").json(&proven).await.ok();
    assert!(body["access_token"].is_string(), "{body}");
    let login = json!({ "type": "m.login.password", "password": "\u{fc}bers3kr1t",
        "identifier": { "type": "m.id.user", "user": "test_user" } });
    bed.post("/_matrix/client/v3/login").json(&login).await.ok();
}
