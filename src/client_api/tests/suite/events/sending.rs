//! `PUT /rooms/{roomId}/send/{eventType}/{txnId}` and `PUT /rooms/{roomId}/state/{eventType}/{stateKey}`.

use http::Method;
use plop_ephemeral::PresenceState;
use serde_json::{Value, json};

use crate::bed::{Bed, MOST_BYTES, User};
use crate::call::Call;
use crate::chat::{nested, text};

fn send(bed: &Bed, by: &User, room: &str, kind: &str, transaction: &str) -> Call {
    bed.ask(by, Method::PUT, "/rooms/{}/send/{}/{}", &[room, kind, transaction])
}

fn set(bed: &Bed, by: &User, room: &str, kind: &str, key: &str) -> Call {
    bed.ask(by, Method::PUT, "/rooms/{}/state/{}/{}", &[room, kind, key])
}

#[tokio::test(start_paused = true)]
async fn an_event_is_sent_as_it_is() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let room = bed.room(&alice, json!({})).await;
    // A type that ruma would write otherwise, and one with what needs encoding.
    for kind in ["m.room.message", "org.matrix.call.sdp_stream_metadata_changed", "a/b %\u{e9}"] {
        let content = json!({ "msgtype": "m.text", "body": "hi \u{1f600}", "n": [9_007_199_254_740_991_i64, -1], "nested": { "\u{0}": null } });
        let id = text(&send(&bed, &alice, &room, kind, "t").json(&content).await.ok()["event_id"]);
        let event = bed.ask(&alice, Method::GET, "/rooms/{}/event/{}", &[&room, &id]).await.ok();
        assert_eq!((&event["type"], &event["content"]), (&json!(kind), &content));
        assert_eq!((&event["sender"], &event["room_id"]), (&json!(alice.id), &json!(room)));
        assert_eq!(event["event_id"], id.as_str());
        assert!(event["origin_server_ts"].is_u64());
        assert_eq!(event["unsigned"]["transaction_id"], "t");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_transaction_id_each_request_sends_an_event() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let room = bed.room(&alice, json!({})).await;
    let send = || bed.ask(&alice, Method::POST, "/rooms/{}/send/m.x", &[&room]);
    let first = send().json(&json!({ "a": 1 })).await.ok();
    assert_ne!(send().json(&json!({ "a": 1 })).await.ok(), first);
    bed.without_effect(send().text(r#"{"a":1.5}"#)).await.refused(400, "M_BAD_JSON");
}

/// Row 138 of the hostile input: the same id is the same request for one device and one path only, after a restart too.
#[tokio::test(start_paused = true)]
async fn row_138_a_transaction_id_is_of_one_device_and_one_path() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let room = bed.public_room(&alice, &[&bob]).await;
    let other = bed.public_room(&alice, &[]).await;
    let login = json!({
        "type": "m.login.password", "device_id": "LAPTOP", "password": crate::bed::PASSWORD,
        "identifier": { "type": "m.id.user", "user": "alice" },
    });
    let token = text(&bed.post("/_matrix/client/v3/login").json(&login).await.ok()["access_token"]);
    let laptop = User { token, ..alice.clone() };
    let body = json!({ "body": "first" });
    let id = async |by: &User, room: &str, kind: &str| {
        text(&send(&bed, by, room, kind, "t").json(&body).await.ok()["event_id"])
    };
    let first = id(&alice, &room, "m.x").await;
    let again = send(&bed, &alice, &room, "m.x", "t").json(&json!({ "body": "second" }));
    assert_eq!(bed.without_effect(again).await.ok(), json!({ "event_id": first }));
    let bed_after = bed.restarted().await;
    let again = send(&bed_after, &alice, &room, "m.x", "t").json(&body).await.ok();
    assert_eq!(again, json!({ "event_id": first }), "after a restart");
    let others = [
        id(&bob, &room, "m.x").await,
        id(&laptop, &room, "m.x").await,
        id(&alice, &other, "m.x").await,
        id(&alice, &room, "m.y").await,
    ];
    assert!(!others.contains(&first), "{others:?}");
    let redaction = bed.ask(&alice, Method::PUT, "/rooms/{}/redact/{}/{}", &[&room, &first, "t"]);
    assert_ne!(text(&redaction.json(&json!({})).await.ok()["event_id"]), first);
}

/// Rows 3, 5, 6, 7 and 8 of the hostile input, at the edge: what may not be in an event is refused before it is one.
#[tokio::test(start_paused = true)]
async fn what_is_no_content_is_refused() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let room = bed.room(&alice, json!({})).await;
    let cases = [
        (String::new(), 400, "M_NOT_JSON"),
        ("{".to_owned(), 400, "M_NOT_JSON"),
        (r#"{"a":NaN}"#.to_owned(), 400, "M_NOT_JSON"),
        (r#"{"a":-Infinity}"#.to_owned(), 400, "M_NOT_JSON"),
        (r#"{"a":1}x"#.to_owned(), 400, "M_NOT_JSON"),
        ("[]".to_owned(), 400, "M_BAD_JSON"),
        ("1".to_owned(), 400, "M_BAD_JSON"),
        (r#""eyJib2R5IjogMS4xfQ==""#.to_owned(), 400, "M_BAD_JSON"),
        (r#"{"a":1.0}"#.to_owned(), 400, "M_BAD_JSON"),
        (r#"{"a":1e3}"#.to_owned(), 400, "M_BAD_JSON"),
        (r#"{"a":-0}"#.to_owned(), 400, "M_BAD_JSON"),
        (r#"{"a":9007199254740992}"#.to_owned(), 400, "M_BAD_JSON"),
        (r#"{"a":-9007199254740992}"#.to_owned(), 400, "M_BAD_JSON"),
        (r#"{"a":123456789012345678901234567890}"#.to_owned(), 400, "M_BAD_JSON"),
        (r#"{"a":1e400}"#.to_owned(), 400, "M_BAD_JSON"),
        (r#"{"a":1,"a":1}"#.to_owned(), 400, "M_BAD_JSON"),
        (r#"{"b":{"a":1,"\u0061":1}}"#.to_owned(), 400, "M_BAD_JSON"),
        (r#"{"a":"\ud800"}"#.to_owned(), 400, "M_BAD_JSON"),
        (r#"{"\udc00":1}"#.to_owned(), 400, "M_BAD_JSON"),
        (format!(r#"{{"a":{}}}"#, nested(128)), 400, "M_BAD_JSON"),
        (format!(r#"{{"a":{}}}"#, nested(400_000)), 400, "M_BAD_JSON"),
        (format!(r#"{{"a":"{}"}}"#, "x".repeat(65_536)), 413, "M_TOO_LARGE"),
        (format!(r#"{{"a":"{}"}}"#, "x".repeat(MOST_BYTES)), 413, "M_TOO_LARGE"),
    ];
    for (body, status, errcode) in cases {
        let calls = [
            send(&bed, &alice, &room, "m.x", "t"),
            set(&bed, &alice, &room, "m.x", ""),
            set(&bed, &alice, &room, "m.x", "k"),
        ];
        for call in calls {
            bed.without_effect(call.text(body.clone())).await.refused(status, errcode);
        }
    }
    // Bytes that are no text.
    let call = send(&bed, &alice, &room, "m.x", "t").text(b"{\"a\":\"\xff\"}".to_vec());
    bed.without_effect(call).await.refused(400, "M_NOT_JSON");
}

/// Row 9 of the hostile input: limits count bytes.
#[tokio::test(start_paused = true)]
async fn row_9_ids_that_are_too_long_are_refused() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let room = bed.room(&alice, json!({})).await;
    let (longest, longer, wide) = ("k".repeat(255), "k".repeat(256), "\u{1f600}".repeat(64));
    send(&bed, &alice, &room, &longest, &longest).json(&json!({})).await.ok();
    set(&bed, &alice, &room, &longest, &longest).json(&json!({})).await.ok();
    for name in [longer.as_str(), &wide, &"k".repeat(20_000)] {
        for call in [
            send(&bed, &alice, &room, name, "t"),
            send(&bed, &alice, &room, "m.x", name),
            set(&bed, &alice, &room, name, ""),
            set(&bed, &alice, &room, "m.x", name),
        ] {
            bed.without_effect(call.json(&json!({}))).await.refused(413, "M_TOO_LARGE");
        }
        let id = format!("!{name}:plop.example");
        let call = send(&bed, &alice, &id, "m.x", "t").json(&json!({}));
        bed.without_effect(call).await.refused(400, "M_INVALID_PARAM");
    }
}

#[tokio::test(start_paused = true)]
async fn parameters_that_are_not_supported_are_refused() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let room = bed.room(&alice, json!({})).await;
    for (query, status, errcode) in [
        ("org.matrix.msc4140.parent_delay_id=x", 400, "M_INVALID_PARAM"),
        ("org.matrix.msc4354.sticky_duration_ms=5000", 400, "M_INVALID_PARAM"),
        ("user_id=@bob:plop.example", 400, "M_INVALID_PARAM"),
        ("ts=1", 403, "M_FORBIDDEN"),
        ("ts=-1", 400, "M_INVALID_PARAM"),
        ("ts=9007199254740992", 400, "M_INVALID_PARAM"),
        ("ts=x", 400, "M_INVALID_PARAM"),
    ] {
        for path in ["send/m.x/t", "state/m.x", "state/m.x/", "state/m.x/k"] {
            let uri = format!("/_matrix/client/v3/rooms/{room}/{path}?{query}");
            let call = bed.put(&uri).by(&alice).json(&json!({}));
            bed.without_effect(call).await.refused(status, errcode);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_not_in_a_room_sends_nothing_to_it() {
    let bed = Bed::new().await;
    let [alice, bob, carol] = bed.users(["alice", "bob", "carol"]).await;
    let room = bed.public_room(&alice, &[&carol]).await;
    bed.leave(&carol, &room).await.ok();
    let refused = async |by: &User, room: &str| {
        let sent = send(&bed, by, room, "m.x", "t").json(&json!({}));
        let sent = bed.without_effect(sent).await.refused(403, "M_FORBIDDEN");
        let state = set(&bed, by, room, "m.x", "").json(&json!({}));
        assert_eq!(bed.without_effect(state).await.refused(403, "M_FORBIDDEN"), sent);
        sent
    };
    let absent = refused(&bob, "!absent:plop.example").await;
    for user in [&bob, &carol] {
        assert_eq!(refused(user, &room).await, absent);
    }
    send(&bed, &alice, "x", "m.x", "t").json(&json!({})).await.refused(400, "M_INVALID_PARAM");
    let anonymous = format!("/_matrix/client/v3/rooms/{room}/send/m.x/t");
    bed.put(&anonymous).json(&json!({})).await.refused(401, "M_MISSING_TOKEN");
    bed.suspend(&alice, true).await;
    for call in [send(&bed, &alice, &room, "m.x", "t"), set(&bed, &alice, &room, "m.x", "")] {
        bed.without_effect(call.json(&json!({}))).await.refused(403, "M_USER_SUSPENDED");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_rules_forbid_is_forbidden_and_what_is_malformed_is_a_bad_request() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let room = bed.public_room(&alice, &[&bob]).await;
    let levels = |users: Value| json!({ "users": users });
    for (by, kind, key, content, status, errcode) in [
        (&bob, "m.room.name", "", json!({ "name": "x" }), 403, "M_FORBIDDEN"),
        (&bob, "m.x", alice.id.as_str(), json!({}), 403, "M_FORBIDDEN"),
        (&bob, "m.room.power_levels", "", levels(json!({})), 403, "M_FORBIDDEN"),
        (&alice, "m.room.create", "", json!({}), 403, "M_FORBIDDEN"),
        (&alice, "m.room.power_levels", "", levels(json!({ alice.id.as_str(): 100 })), 400, "M_BAD_JSON"),
        (&alice, "m.room.power_levels", "", levels(json!({ "x": 100 })), 400, "M_BAD_JSON"),
        (&alice, "m.room.power_levels", "", json!({ "ban": "50" }), 400, "M_BAD_JSON"),
        (&alice, "m.room.member", "x", json!({ "membership": "invite" }), 400, "M_BAD_JSON"),
        (&alice, "m.room.member", bob.id.as_str(), json!({ "membership": "dance" }), 400, "M_BAD_JSON"),
        (&alice, "m.room.member", bob.id.as_str(), json!({ "membership": "join" }), 403, "M_FORBIDDEN"),
    ] {
        let call = set(&bed, by, &room, kind, key).json(&content);
        bed.without_effect(call).await.refused(status, errcode);
    }
}

#[tokio::test(start_paused = true)]
async fn state_is_set_with_and_without_a_key() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let room = bed.public_room(&alice, &[&bob]).await;
    let put = |rest: &str, body: Value| {
        let path = format!("/_matrix/client/v3/rooms/{room}/state/{rest}");
        bed.put(&path).by(&alice).json(&body)
    };
    for (index, rest) in ["m.room.topic", "m.room.topic/"].into_iter().enumerate() {
        put(rest, json!({ "topic": index })).await.ok();
        assert_eq!(bed.state(&alice, &room, "m.room.topic", "").await, json!({ "topic": index }));
    }
    put("m.x/%2F%20k", json!({ "a": 1 })).await.ok();
    assert_eq!(bed.state(&alice, &room, "m.x", "/ k").await, json!({ "a": 1 }));
    // Set again, it is the same event.
    let first = put("m.x/k", json!({ "a": 1 })).await.ok();
    assert_eq!(bed.without_effect(put("m.x/k", json!({ "a": 1 }))).await.ok(), first);
    assert_ne!(put("m.x/k", json!({ "a": 2 })).await.ok(), first);
    // A step of membership.
    put(&format!("m.room.member/{}", bob.id), json!({ "membership": "ban", "reason": "x" })).await.ok();
    assert_eq!(bed.join(&bob, &room).await.refused(403, "M_BAD_STATE")["errcode"], "M_BAD_STATE");
}

#[tokio::test(start_paused = true)]
async fn one_who_sends_is_there() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let room = bed.public_room(&alice, &[&bob]).await;
    let seen =
        async |user: &User| bed.api.presence.get(&user.id).await.expect("a read").map(|seen| seen.state);
    assert_eq!(seen(&alice).await, None, "to create a room is no sign");
    bed.say(&alice, &room, "hi").await;
    assert_eq!(seen(&alice).await, Some(PresenceState::Online));
    bed.state(&bob, &room, "m.room.create", "").await;
    assert_eq!(seen(&bob).await, None, "nor is reading state, which programs do");
}

#[tokio::test(start_paused = true)]
async fn a_reaction_is_given_once() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let room = bed.room(&alice, json!({})).await;
    let target = bed.say(&alice, &room, "hi").await;
    let reaction = json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": target, "key": "+" } });
    send(&bed, &alice, &room, "m.reaction", "1").json(&reaction).await.ok();
    let again = send(&bed, &alice, &room, "m.reaction", "2").json(&reaction);
    bed.without_effect(again).await.refused(400, "M_DUPLICATE_ANNOTATION");
}

/// Who logs in again on a device, or gets another access token, is the same device.
#[tokio::test(start_paused = true)]
async fn a_transaction_id_stays_with_its_device() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let login = json!({
        "type": "m.login.password", "device_id": "PHONE", "password": crate::bed::PASSWORD, "refresh_token": true,
        "identifier": { "type": "m.id.user", "user": "alice" },
    });
    let login = async || bed.post("/_matrix/client/v3/login").json(&login).await.ok();
    let with = |answer: &Value| User { token: text(&answer["access_token"]), ..alice.clone() };
    let first = login().await;
    let one = with(&first);
    let room = bed.room(&one, json!({})).await;
    let body = json!({ "msgtype": "m.text", "body": "first" });
    let id = async |by: &User| {
        text(&send(&bed, by, &room, "m.room.message", "abdefgh").json(&body).await.ok()["event_id"])
    };
    let event = id(&one).await;
    let refresh = json!({ "refresh_token": first["refresh_token"] });
    let refreshed = with(&bed.post("/_matrix/client/v3/refresh").json(&refresh).await.ok());
    let check = async |user: &User| {
        let synced = bed.get("/_matrix/client/v3/sync").by(user).await.ok();
        let events = synced["rooms"]["join"][&room]["timeline"]["events"].as_array().expect("events").clone();
        let last = events.last().expect("an event");
        assert_eq!(
            (&last["event_id"], &last["unsigned"]["transaction_id"]),
            (&json!(event), &json!("abdefgh"))
        );
        assert_eq!(id(user).await, event);
    };
    check(&refreshed).await;
    check(&with(&login().await)).await;
}
