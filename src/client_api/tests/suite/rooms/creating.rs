//! `POST /createRoom`.

use http::Method;
use serde_json::{Value, json};

use crate::bed::{Bed, MOST_BYTES, User};
use crate::call::Call;
use crate::chat::nested;

fn create(bed: &Bed, by: &User) -> Call {
    bed.ask(by, Method::POST, "/createRoom", &[])
}

#[tokio::test(start_paused = true)]
async fn a_room_without_options_is_private_and_of_the_default_version() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let body = create(&bed, &alice).json(&json!({})).await.ok();
    assert_eq!(body.as_object().expect("an object").len(), 1, "{body}");
    let room = body["room_id"].as_str().expect("a room");
    assert_eq!(bed.state(&alice, room, "m.room.create", "").await["room_version"], "12");
    assert_eq!(bed.state(&alice, room, "m.room.join_rules", "").await["join_rule"], "invite");
    assert_eq!(bed.state(&alice, room, "m.room.guest_access", "").await["guest_access"], "can_join");
    assert_eq!(
        bed.state(&alice, room, "m.room.history_visibility", "").await["history_visibility"],
        "shared"
    );
    // Without a body at all, and under the older prefix.
    create(&bed, &alice).await.ok();
    bed.post("/_matrix/client/r0/createRoom").by(&alice).json(&json!({})).await.ok();
}

#[tokio::test(start_paused = true)]
async fn every_option_has_its_effect() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let options = json!({
        "visibility": "public",
        "room_version": "11",
        "room_alias_name": "pub",
        "name": "The Pub",
        "topic": "Happy hour",
        "invite": [bob.id, bob.id],
        "is_direct": true,
        "creation_content": { "m.federate": false, "room_version": "1", "creator": "@eve:plop.example" },
        "initial_state": [
            { "type": "m.room.topic", "state_key": "", "content": { "topic": "overridden" } },
            { "type": "org.example.x", "content": { "a": 1 } },
            { "type": "org.example.x", "state_key": "k", "content": { "a": 2 } },
            { "type": "m.room.guest_access", "state_key": "", "content": { "guest_access": "can_join" } },
        ],
        "power_level_content_override": { "events_default": 10, "users": { alice.id.as_str(): 100, bob.id.as_str(): 5 } },
    });
    let room = bed.room(&alice, options).await;
    let state = async |kind, key| bed.state(&alice, &room, kind, key).await;
    assert_eq!(state("m.room.create", "").await, json!({ "room_version": "11", "m.federate": false }));
    assert_eq!(state("m.room.join_rules", "").await["join_rule"], "public", "derived from the visibility");
    assert_eq!(state("m.room.guest_access", "").await["guest_access"], "can_join", "above the preset");
    assert_eq!(state("m.room.canonical_alias", "").await, json!({ "alias": "#pub:plop.example" }));
    assert_eq!(state("m.room.name", "").await, json!({ "name": "The Pub" }));
    assert_eq!(
        state("m.room.topic", "").await,
        json!({ "topic": "Happy hour", "m.topic": { "m.text": [{ "body": "Happy hour" }] } })
    );
    assert_eq!(state("org.example.x", "").await, json!({ "a": 1 }));
    assert_eq!(state("org.example.x", "k").await, json!({ "a": 2 }));
    let levels = state("m.room.power_levels", "").await;
    assert_eq!((&levels["events_default"], &levels["ban"]), (&json!(10), &json!(50)));
    assert_eq!(levels["users"], json!({ alice.id.as_str(): 100, bob.id.as_str(): 5 }));
    assert_eq!(
        state("m.room.member", bob.id.as_str()).await,
        json!({ "membership": "invite", "is_direct": true })
    );
    let listed = bed.get("/_matrix/client/v3/publicRooms").await.ok();
    assert_eq!(listed["chunk"][0]["room_id"], room.as_str());
}

#[tokio::test(start_paused = true)]
async fn a_topic_of_the_initial_state_stays_as_it_is() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let state = json!([{ "type": "m.room.topic", "state_key": "", "content": { "topic": "Tea" } }]);
    let room = bed.room(&alice, json!({ "preset": "public_chat", "initial_state": state })).await;
    assert_eq!(bed.state(&alice, &room, "m.room.topic", "").await, json!({ "topic": "Tea" }));
}

#[tokio::test(start_paused = true)]
async fn what_is_created_is_synced_from_its_creation_on() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let content = json!({ "test": "azerty", "room_version": "test" });
    for version in ["11", "12"] {
        let options = json!({ "room_version": version, "creation_content": content, "invite": [bob.id] });
        let room = bed.room(&alice, options).await;
        let event = bed.send(&alice, &room, "m.room.test", "1", json!({})).await;
        let synced = bed.get("/_matrix/client/v3/sync").by(&alice).await.ok();
        let timeline =
            synced["rooms"]["join"][&room]["timeline"]["events"].as_array().expect("events").clone();
        assert_eq!(timeline[0]["type"], "m.room.create");
        assert_eq!(timeline[0]["content"]["room_version"], version);
        assert_eq!(timeline[0]["content"]["test"], "azerty");
        assert_eq!(timeline.last().expect("an event")["event_id"], event.as_str());
        let invited = bed.get("/_matrix/client/v3/sync").by(&bob).await.ok();
        let state = invited["rooms"]["invite"][&room]["invite_state"]["events"].as_array().expect("a state");
        let member = state.iter().find(|event| event["state_key"] == bob.id.as_str()).expect("the invite");
        assert_eq!(member["content"]["membership"], "invite");
    }
}

#[tokio::test(start_paused = true)]
async fn presets_say_who_may_come_and_who_rules() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    for (options, join_rule) in [
        (json!({ "preset": "public_chat" }), "public"),
        (json!({ "preset": "private_chat", "visibility": "public" }), "invite"),
        (json!({ "visibility": "private" }), "invite"),
    ] {
        let room = bed.room(&alice, options).await;
        assert_eq!(bed.state(&alice, &room, "m.room.join_rules", "").await["join_rule"], join_rule);
    }
    let trusted = json!({ "preset": "trusted_private_chat", "invite": [bob.id] });
    let room = bed.room(&alice, trusted.clone()).await;
    assert_eq!(
        bed.state(&alice, &room, "m.room.create", "").await["additional_creators"],
        json!([bob.id]),
        "creators from version 12 on"
    );
    let mut older = trusted;
    older["room_version"] = json!("10");
    let room = bed.room(&alice, older).await;
    let levels = bed.state(&alice, &room, "m.room.power_levels", "").await;
    assert_eq!(levels["users"][bob.id.as_str()], 100);
}

#[tokio::test(start_paused = true)]
async fn a_room_of_each_version_is_created() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    for version in 1..=12 {
        let version = version.to_string();
        let room = bed.room(&alice, json!({ "room_version": version })).await;
        assert_eq!(
            bed.state(&alice, &room, "m.room.create", "").await["room_version"].as_str(),
            Some(version.as_str())
        );
    }
}

/// What a refused request leaves behind: nothing.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_is_refused_whole() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    bed.room(&alice, json!({ "room_alias_name": "taken" })).await;
    let blocks = json!({ "default_action": "block" });
    let blocking =
        bed.put("/_matrix/client/v3/user/@bob:plop.example/account_data/m.invite_permission_config");
    blocking.by(&bob).json(&blocks).await.ok();
    let third_party = json!({
        "id_server": "id.example", "id_access_token": "t", "medium": "email", "address": "a@b.example",
    });
    let event = |kind: &str, content: Value| json!([{ "type": kind, "state_key": "", "content": content }]);
    let cases: Vec<(Value, u16, &str)> = vec![
        (json!({ "room_version": 1 }), 400, "M_BAD_JSON"),
        (json!({ "room_version": "ahfgwjyerhgiuveisbruvybseyrugvi" }), 400, "M_UNSUPPORTED_ROOM_VERSION"),
        (json!({ "room_alias_name": "taken" }), 400, "M_ROOM_IN_USE"),
        (json!({ "room_alias_name": "with space" }), 400, "M_INVALID_PARAM"),
        (json!({ "room_alias_name": "a".repeat(255) }), 400, "M_INVALID_PARAM"),
        (json!({ "preset": "secret_chat" }), 400, "M_INVALID_PARAM"),
        (json!({ "visibility": "hidden" }), 400, "M_INVALID_PARAM"),
        (json!({ "invite": ["bob"] }), 400, "M_BAD_JSON"),
        (json!({ "invite": [bob.id] }), 403, "M_INVITE_BLOCKED"),
        (json!({ "invite": ["@x:elsewhere.example"] }), 403, "M_FORBIDDEN"),
        (json!({ "invite_3pid": [third_party] }), 403, "M_THREEPID_DENIED"),
        (json!({ "creation_content": [] }), 400, "M_BAD_JSON"),
        (json!({ "creation_content": { "additional_creators": ["x"] } }), 400, "M_INVALID_PARAM"),
        (
            json!({ "power_level_content_override": { "state_default": 101 }, "room_version": "11" }),
            400,
            "M_INVALID_ROOM_STATE",
        ),
        (json!({ "power_level_content_override": { "ban": 1.5 } }), 400, "M_BAD_JSON"),
        (json!({ "initial_state": event("m.room.name", json!(1)) }), 400, "M_BAD_JSON"),
        (json!({ "initial_state": [{ "type": "x" }] }), 400, "M_BAD_JSON"),
        (
            json!({ "initial_state": event("x", json!({ "a": 9_007_199_254_740_992_u64 })) }),
            400,
            "M_BAD_JSON",
        ),
        (json!({ "initial_state": event("m.room.create", json!({})) }), 400, "M_INVALID_ROOM_STATE"),
        (
            json!({ "initial_state": [
                { "type": "m.room.member", "state_key": bob.id, "content": { "membership": "invite" } },
            ] }),
            400,
            "M_INVALID_ROOM_STATE",
        ),
        (
            json!({ "initial_state": event("m.room.canonical_alias", json!({ "alias": "#taken:plop.example" })) }),
            400,
            "M_BAD_ALIAS",
        ),
        (json!({ "initial_state": event(&"k".repeat(256), json!({})) }), 413, "M_TOO_LARGE"),
        (json!({ "topic": "x".repeat(65_536) }), 413, "M_TOO_LARGE"),
    ];
    for (options, status, errcode) in cases {
        bed.without_effect(create(&bed, &alice).json(&options)).await.refused(status, errcode);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_request_is_refused() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    for (body, status, errcode) in [
        ("{".to_owned(), 400, "M_NOT_JSON"),
        ("[]".to_owned(), 400, "M_BAD_JSON"),
        ("\u{feff}{}".to_owned(), 400, "M_NOT_JSON"),
        (r#"{"name":"a","name":"b"}"#.to_owned(), 400, "M_BAD_JSON"),
        (r#"{"creation_content":{"a":1,"a":2}}"#.to_owned(), 400, "M_BAD_JSON"),
        (r#"{"creation_content":{"a":"\ud800"}}"#.to_owned(), 400, "M_BAD_JSON"),
        (format!(r#"{{"creation_content":{{"a":{}}}}}"#, nested(200)), 400, "M_BAD_JSON"),
        (format!(r#"{{"creation_content":{{"a":{}}}}}"#, nested(100_000)), 400, "M_BAD_JSON"),
        ("x".repeat(MOST_BYTES + 1), 413, "M_TOO_LARGE"),
    ] {
        bed.without_effect(create(&bed, &alice).text(body)).await.refused(status, errcode);
    }
    bed.post("/_matrix/client/v3/createRoom").json(&json!({})).await.refused(401, "M_MISSING_TOKEN");
}

#[tokio::test(start_paused = true)]
async fn a_suspended_account_creates_no_rooms() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    bed.suspend(&alice, true).await;
    bed.without_effect(create(&bed, &alice).json(&json!({}))).await.refused(403, "M_USER_SUSPENDED");
    bed.suspend(&alice, false).await;
    create(&bed, &alice).json(&json!({})).await.ok();
}

/// Each version, by those of this server: to join by an alias, to be invited, to say something.
#[tokio::test(start_paused = true)]
async fn a_room_of_each_version_is_used() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let sync = async |user: &User, since: &str| {
        bed.get(&format!("/_matrix/client/v3/sync?since={since}")).by(user).await.ok()
    };
    for version in 1..=12 {
        let alias = format!("version{version}");
        let open =
            json!({ "room_version": version.to_string(), "room_alias_name": alias, "preset": "public_chat" });
        let closed = json!({ "room_version": version.to_string(), "preset": "private_chat" });
        let rooms = [bed.room(&alice, open).await, bed.room(&alice, closed).await];
        let first = sync(&alice, "").await;
        let timeline = &first["rooms"]["join"][&rooms[0]]["timeline"]["events"];
        assert_eq!(timeline[0]["type"], "m.room.create", "version {version}");
        bed.join(&bob, &format!("#{alias}:plop.example")).await.ok();
        bed.act_on(&alice, &rooms[1], "invite", &bob).await.ok();
        bed.join(&bob, &rooms[1]).await.ok();
        for room in rooms {
            let since = sync(&bob, "").await["next_batch"].as_str().expect("a token").to_owned();
            let said = bed.say(&alice, &room, "hello world").await;
            let news = sync(&bob, &since).await;
            let events = &news["rooms"]["join"][&room]["timeline"]["events"];
            assert_eq!(events.as_array().map(Vec::len), Some(1), "version {version}");
            assert_eq!(events[0]["event_id"], said.as_str());
        }
    }
}
