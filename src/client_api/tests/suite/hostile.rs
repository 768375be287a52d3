//! What must harm no endpoint, whatever it is: each of them is sent bodies, queries and paths in which some parts are not what they should be.

use std::fmt::Write as _;

use axum::body::Body;
use http::Method;
use http_body_util::BodyExt as _;
use plop_base::Random;
use serde_json::{Map, Value, json};

use crate::authentication::path;
use crate::bed::{Bed, User};
use crate::chat::encoded;

/// Requests for each endpoint.
const ROUNDS: u64 = 24;
/// One part in so many is hostile.
const ONE_IN: u64 = 8;

/// What stands in the place of something else.
fn hostile(random: &Random) -> Value {
    match random.below(22) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(-1),
        3 => json!(0),
        4 => json!(i64::MIN),
        5 => json!(9_007_199_254_740_993_u64),
        6 => json!(u64::MAX),
        7 => json!(1.5),
        8 => json!(1e300),
        9 => json!(""),
        10 => json!("\u{0}"),
        11 => json!("\u{202e}\u{feff}\u{1f4a5}"),
        12 => json!("x".repeat(70_000)),
        13 => json!("../../etc/passwd"),
        14 => json!("@:"),
        15 => json!([]),
        16 => json!([[[[null]]]]),
        17 => json!({}),
        18 => json!({ "": { "\u{0}": [-0.0] } }),
        19 => json!({ "type": [], "event_id": {}, "content": 1 }),
        20 => json!(vec!["m.x"; 2_000]),
        _ => json!(format!("{}:{}", "@".repeat(300), "é".repeat(100))),
    }
}

/// A body in which every endpoint finds what it looks for.
fn body(user: &User, room: &str, event: &str) -> Map<String, Value> {
    let (id, device) = (user.id.as_str(), user.device.as_str());
    let key = "IlRMeOPX2e0MurIyfWEucYBRVOEEUMrOHqn/8mLqMjA";
    let config = json!({ "timeline_limit": 1, "required_state": {} });
    let first = json!({
        "actions": ["notify", { "set_tweak": "sound", "value": "x" }], "algorithm": "m.megolm_backup.v1",
        "auth": { "type": "m.login.dummy", "session": "x" }, "auth_data": { "public_key": key },
        "auth_method": "x", "avatar_url": "mxc://plop.example/x", "body": "words", "bucket": 1,
        "client_secret": "secret", "conditions": [{ "kind": "event_match", "key": "type", "pattern": "x" }],
        "conn_id": "c", "content": {}, "creation_content": { "type": "m.space" }, "default": false,
        "delay": 1_000, "delay_id": "x", "device_id": device, "device_keys": { id: [] }, "devices": [device],
        "dir": "b", "displayname": "Name", "email": "a@b.example", "enabled": true, "erase": false,
        "event": event, "extensions": { "typing": { "enabled": true }, "e2ee": { "enabled": true } },
    });
    let second = json!({
        "fallback_keys": {}, "filter": { "limit": 1, "rooms": [room], "types": ["m.*"] },
        "first_message_index": 0, "forwarded_count": 0, "from": "t", "history_visibility": "shared",
        "id_access_token": "x", "id_server": "id.example", "identifier": { "type": "m.id.user", "user": id },
        "ignored_users": {}, "initial_state": [{ "type": "m.room.topic", "content": { "topic": "x" } }],
        "invite": [], "is_direct": false, "is_verified": false, "join_rule": "invite", "limit": 2,
        "lists": { "a": config }, "locked": false, "logout_devices": false, "m.fully_read": event,
        "m.read": event, "m.relates_to": { "rel_type": "m.thread", "event_id": event, "key": "x" },
        "m.new_content": { "body": "x" }, "master_key": { "keys": {}, "usage": ["master"], "user_id": id },
        "membership": "join",
    });
    let third = json!({
        "messages": { id: { device: {} } }, "msgtype": "m.text", "name": "Name",
        "new_password": "correct horse", "new_version": "12", "next_link": "https://a.example",
        "one_time_keys": { "signed_curve25519:A": { "key": key, "signatures": { id: { "ed25519:A": "x" } } } },
        "order": 0.5, "password": "correct horse", "pattern": "x", "phone_number": "1", "country": "GB",
        "power_level_content_override": { "users": { id: 100 } }, "preset": "private_chat",
        "presence": "online", "ranges": [[0, 1]], "reason": "why", "refresh_token": "x", "room_alias_name": "x",
        "room_id": room, "room_version": "12", "rooms": { room: { "sessions": {} } }, "score": -1,
    });
    let fourth = json!({
        "room_subscriptions": { room: config }, "search_term": "words", "send_attempt": 1, "session_data": {},
        "search_categories": { "room_events": { "search_term": "words", "filter": { "limit": 1 } } },
        "sessions": { "x": { "first_message_index": 0, "forwarded_count": 0, "is_verified": true,
            "session_data": {} } },
        "set_presence": "online", "sid": "x", "since": "s", "status_msg": "here", "suspended": false,
        "tags": {}, "thread_id": "main", "timeout": 0, "token": "x", "topic": "Topic", "txn_id": "t",
        "type": "m.login.password", "typing": true, "user": id, "user_id": id, "users": { id: 100 },
        "username": "somebody", "version": "1", "visibility": "private", "automatic": event,
        "third_party_signed": Value::Null, "via": ["plop.example"], "url": "mxc://plop.example/x",
    });
    let parts = [first, second, third, fourth];
    parts.into_iter().flat_map(|part| part.as_object().expect("an object").clone()).collect()
}

/// Puts something hostile in some places, at any depth.
fn spoil(value: &mut Value, random: &Random) {
    if random.below(ONE_IN) == 0 {
        *value = hostile(random);
        return;
    }
    match value {
        Value::Array(list) => list.iter_mut().for_each(|entry| spoil(entry, random)),
        Value::Object(object) => object.values_mut().for_each(|entry| spoil(entry, random)),
        _ => {}
    }
}

/// A body that is no object, at times.
fn text_of(mut whole: Map<String, Value>, random: &Random) -> String {
    match random.below(16) {
        0 => String::new(),
        1 => "{".to_owned(),
        2 => hostile(random).to_string(),
        3 => format!("{}{}", "[".repeat(5_000), "]".repeat(5_000)),
        4 => r#"{"type":"\ud800","reason":"\udfff","a":1e400}"#.to_owned(),
        _ => {
            whole.values_mut().for_each(|part| spoil(part, random));
            Value::Object(whole).to_string()
        }
    }
}

/// What is asked for besides the path.
fn query(user: &User, random: &Random) -> String {
    let parameters = [
        ("limit", "2"),
        ("from", "t"),
        ("to", "t"),
        ("dir", "b"),
        ("ts", "1"),
        ("timeout", "0"),
        ("since", "s"),
        ("filter", "{}"),
        ("full_state", "true"),
        ("set_presence", "online"),
        ("at", "t"),
        ("membership", "join"),
        ("recurse", "true"),
        ("max_depth", "2"),
        ("suggested_only", "true"),
        ("include", "all"),
        ("only", ""),
        ("user_id", user.id.as_str()),
        ("width", "32"),
        ("height", "32"),
        ("method", "crop"),
        ("animated", "true"),
        ("version", "1"),
        ("username", "somebody"),
        ("token", "x"),
        ("via", "b.example"),
        ("timeout_ms", "0"),
        ("format", "event"),
        ("org.matrix.msc4140.delay", "1000"),
        ("pos", "p"),
    ];
    let mut query = String::new();
    for (name, value) in parameters {
        match random.below(3 * ONE_IN) {
            0 => {
                let value = hostile(random);
                let value = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
                let value: String = value.chars().take(2_000).collect();
                _ = write!(query, "&{name}={}", encoded(&value));
            }
            1 => query.push_str("&limit=1&%FF=%&=&"),
            // What is there need not be good: many of these tokens are none.
            2..6 => _ = write!(query, "&{name}={}", encoded(value)),
            _ => {}
        }
    }
    query
}

/// A path of the table: with what is there, with what is not, and at times with what can be nothing.
fn path_to(template: &str, user: &User, (room, event): (&str, &str), random: &Random) -> String {
    let parts = template.split('/').map(|part| {
        if !part.starts_with('{') {
            return part.to_owned();
        }
        if random.below(ONE_IN) == 0 {
            let hostile =
                ["%00", "%ED%A0%80", "..%2F..", "%2e%2e", "@", "!", "$", "%23", "%F0%9F%92%A5", "%20"];
            let long = "x".repeat(3_000);
            let choice = usize::try_from(random.below(11)).expect("small");
            return hostile.get(choice).map_or(long, |part| (*part).to_owned());
        }
        match part {
            "{userId}" => encoded(user.id.as_str()),
            "{roomId}" | "{roomIdOrAlias}" => encoded(room),
            "{eventId}" => encoded(event),
            "{deviceId}" => user.device.to_string(),
            "{eventType}" => "m.room.topic".to_owned(),
            "{kind}" => "override".to_owned(),
            "{receiptType}" => "m.read".to_owned(),
            "{relType}" => "m.thread".to_owned(),
            "{serverName}" => "plop.example".to_owned(),
            other => path(other),
        }
    });
    parts.collect::<Vec<_>>().join("/")
}

/// Row 152 of the hostile input: nothing that a user sends makes the server fail, and each refusal says why.
#[tokio::test(start_paused = true)]
async fn row_152_no_endpoint_fails_whatever_it_is_sent() {
    let bed = Bed::new().await;
    let random = Random::seeded(152);
    let mut failed = Vec::new();
    for (number, (method, template)) in plop_client_api::table().listed().iter().enumerate() {
        let mut user = bed.user(&format!("user{number}")).await;
        let room = bed.public_room(&user, &[]).await;
        let event = bed.say(&user, &room, "words").await;
        for round in 0..ROUNDS {
            let path = path_to(template, &user, (&room, &event), &random);
            let mut call = bed.call(method.clone(), &format!("{path}?{}", query(&user, &random))).by(&user);
            if *method != Method::GET {
                let text = text_of(body(&user, &room, &event), &random);
                call = call.text(text);
            }
            let (head, answer) = call.open().await.into_parts();
            let answer = Body::collect(answer).await.expect("a body").to_bytes();
            let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
            let is_told = !head.status.is_client_error()
                || answer["errcode"].is_string()
                || answer["flows"].is_array()
                || answer.is_null() && matches!(head.status.as_u16(), 404 | 405);
            if head.status.is_server_error() || !is_told {
                failed.push(format!("{method} {path}: {} {answer}", head.status));
            }
            if head.status == 401 || template.contains("logout") || template.contains("deactivate") {
                user = bed.user(&format!("user{number}round{round}")).await;
                bed.join(&user, &room).await;
            }
        }
    }
    assert!(failed.is_empty(), "{} requests failed:\n{}", failed.len(), failed.join("\n"));
}

/// Other spellings of a path, which something between a client and the server might take for the same.
fn spellings(path: &str) -> Vec<String> {
    let (start, rest) = path.split_at("/_matrix".len());
    vec![
        format!("/{path}"),
        format!("{start}/{rest}"),
        format!("{start}/.{rest}"),
        format!("{start}/x/..{rest}"),
        format!("{start}/x/..;{rest}"),
        format!("{start}/x/%2e%2e{rest}"),
        format!("{start};x{rest}"),
        format!("{start}%2F{}", &rest[1..]),
        format!("{}{rest}", start.to_uppercase()),
        path.replace("/client/", "/Client/"),
        path.replace("/admin/", "/%61dmin/"),
        path.replace("/admin/", "/ADMIN/"),
        path.replace("/admin/", "/x/..;/admin/"),
        path.replace("/admin/", "//admin/"),
        path.replace("/admin/", "/admin%2F"),
    ]
}

/// Rows 129 and 154 of the hostile input: a path is what it is, for administrators' endpoints and for all others.
#[tokio::test(start_paused = true)]
async fn row_129_and_154_another_spelling_of_a_path_leads_nowhere() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    for (method, template) in plop_client_api::table().listed() {
        let path = path(template);
        if !path.starts_with("/_matrix") {
            continue;
        }
        for spelling in spellings(&path).into_iter().filter(|spelling| *spelling != path) {
            let call = bed.call(method.clone(), &spelling).by(&alice).text("{}");
            let answer = bed.without_effect(call).await;
            assert_eq!(answer.status, 404, "{method} {spelling}: {answer:?}");
        }
    }
}
