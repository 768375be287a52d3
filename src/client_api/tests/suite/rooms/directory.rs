//! `/directory/list/room/{roomId}`, `/publicRooms`.

use http::Method;
use serde_json::{Value, json};

use crate::bed::{Bed, User};
use crate::chat::{encoded, path, text};

const ROOMS: &str = "/_matrix/client/v3/publicRooms";

async fn published(bed: &Bed, by: &User, name: &str, kind: Value) -> String {
    let options = json!({ "visibility": "public", "name": name, "topic": format!("About {name}"),
        "creation_content": kind });
    bed.room(by, options).await
}

fn names(body: &Value) -> Vec<&str> {
    let rooms = body["chunk"].as_array().expect("a list");
    rooms.iter().map(|room| room["name"].as_str().unwrap_or_default()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_room_is_listed_while_it_is_published() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let room = bed.room(&alice, json!({ "name": "Den" })).await;
    let visibility = async || bed.get(&path("/directory/list/room/{}", &[&room])).await.ok();
    assert_eq!(visibility().await, json!({ "visibility": "private" }));
    let put =
        |by: &User, body: Value| bed.ask(by, Method::PUT, "/directory/list/room/{}", &[&room]).json(&body);
    bed.without_effect(put(&bob, json!({}))).await.refused(404, "M_NOT_FOUND");
    assert_eq!(put(&alice, json!({})).await.ok(), json!({}), "public without saying so");
    assert_eq!(visibility().await, json!({ "visibility": "public" }));
    let listed = json!({ "chunk": [{
        "room_id": room, "name": "Den", "num_joined_members": 1, "world_readable": false,
        "guest_can_join": true, "join_rule": "invite",
    }] });
    assert_eq!(bed.get(ROOMS).await.ok(), listed, "without a token");
    assert_eq!(bed.post(ROOMS).by(&bob).json(&json!({})).await.ok(), listed);
    put(&alice, json!({ "visibility": "private" })).await.ok();
    assert_eq!(names(&bed.get(ROOMS).await.ok()), Vec::<&str>::new());
}

#[tokio::test(start_paused = true)]
async fn who_may_publish_a_room() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let room = bed.public_room(&alice, &[&bob]).await;
    let put = |by: &User, room: &str, body: Value| {
        bed.ask(by, Method::PUT, "/directory/list/room/{}", &[room]).json(&body)
    };
    bed.without_effect(put(&bob, &room, json!({}))).await.refused(403, "M_FORBIDDEN");
    bed.without_effect(put(&alice, "!absent:plop.example", json!({}))).await.refused(404, "M_NOT_FOUND");
    bed.without_effect(put(&alice, "x", json!({}))).await.refused(400, "M_INVALID_PARAM");
    for (body, errcode) in [
        (json!({ "visibility": "hidden" }), "M_INVALID_PARAM"),
        (json!({ "visibility": 1 }), "M_BAD_JSON"),
        (json!([]), "M_BAD_JSON"),
    ] {
        bed.without_effect(put(&alice, &room, body)).await.refused(400, errcode);
    }
    bed.suspend(&alice, true).await;
    bed.without_effect(put(&alice, &room, json!({}))).await.refused(403, "M_USER_SUSPENDED");
    let absent = bed.get("/_matrix/client/v3/directory/list/room/!absent:plop.example").await;
    absent.refused(404, "M_NOT_FOUND");
}

#[tokio::test(start_paused = true)]
async fn pages_are_walked_by_their_tokens() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    for name in ["a", "b", "c", "d", "e"] {
        published(&bed, &alice, name, json!({})).await;
    }
    let first = bed.get(&format!("{ROOMS}?limit=2")).await.ok();
    assert_eq!((names(&first), &first["prev_batch"]), (vec!["a", "b"], &Value::Null));
    let since = text(&first["next_batch"]);
    let second = bed.get(&format!("{ROOMS}?limit=2&since={}", encoded(&since))).await.ok();
    assert_eq!(names(&second), ["c", "d"]);
    let body = json!({ "limit": 2, "since": second["next_batch"] });
    let third = bed.post(ROOMS).by(&alice).json(&body).await.ok();
    assert_eq!((names(&third), &third["next_batch"]), (vec!["e"], &Value::Null));
    let back =
        bed.post(ROOMS).by(&alice).json(&json!({ "limit": 2, "since": second["prev_batch"] })).await.ok();
    assert_eq!(names(&back), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_search_looks_at_names_topics_aliases_and_types() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    published(&bed, &alice, "Wombles", json!({})).await;
    published(&bed, &alice, "Space", json!({ "type": "m.space" })).await;
    published(&bed, &alice, "Custom", json!({ "type": "org.example" })).await;
    for (filter, expected) in [
        (json!({ "generic_search_term": "wOMb" }), vec!["Wombles"]),
        (json!({ "generic_search_term": "about" }), vec!["Wombles", "Space", "Custom"]),
        (json!({ "generic_search_term": "" }), vec!["Wombles", "Space", "Custom"]),
        (json!({ "generic_search_term": "%" }), vec![]),
        (json!({ "room_types": ["m.space"] }), vec!["Space"]),
        (json!({ "room_types": [null, "org.example"] }), vec!["Wombles", "Custom"]),
        (json!({ "room_types": ["m.space"], "generic_search_term": "womb" }), vec![]),
    ] {
        let found = bed.post(ROOMS).by(&alice).json(&json!({ "filter": filter })).await.ok();
        assert_eq!(names(&found), expected, "{filter}");
    }
    let bridged = json!({ "third_party_instance_id": "irc" });
    assert_eq!(names(&bed.post(ROOMS).by(&alice).json(&bridged).await.ok()), Vec::<&str>::new());
}

/// Row 89 of the hostile input: every filter, huge limits, tokens that are none; unpublished rooms, and rooms that nobody is in, are never listed.
#[tokio::test(start_paused = true)]
async fn row_89_only_published_rooms_are_listed() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    bed.room(&alice, json!({ "name": "hidden", "preset": "public_chat" })).await;
    let left = published(&bed, &alice, "left", json!({})).await;
    bed.leave(&alice, &left).await.ok();
    published(&bed, &alice, "listed", json!({})).await;
    for query in ["", "?limit=9007199254740991", "?limit=0", "?since=", "?server=plop.example"] {
        assert_eq!(names(&bed.get(&format!("{ROOMS}{query}")).await.ok()), ["listed"], "{query}");
    }
    for query in [
        "limit=-1",
        "limit=1.5",
        "limit=9007199254740992",
        "since=-1",
        "since=d1_a",
        "since=d1_a-1",
        "since=d1_affffffffffffffffff",
        "since=h1_00",
        "server=elsewhere.example",
        "server=%20",
    ] {
        bed.get(&format!("{ROOMS}?{query}")).await.refused(400, "M_INVALID_PARAM");
    }
    for filter in [
        json!({ "filter": {} }),
        json!({ "filter": { "generic_search_term": "i" }, "limit": 9_007_199_254_740_991_u64 }),
        json!({ "filter": { "room_types": [null] } }),
        json!({ "include_all_networks": true }),
    ] {
        assert_eq!(names(&bed.post(ROOMS).by(&alice).json(&filter).await.ok()), ["listed"], "{filter}");
    }
    for (body, errcode) in [
        (json!({ "limit": -1 }), "M_BAD_JSON"),
        (json!({ "since": "x" }), "M_INVALID_PARAM"),
        (json!({ "filter": { "room_types": [1] } }), "M_BAD_JSON"),
        (json!({ "include_all_networks": true, "third_party_instance_id": "irc" }), "M_BAD_JSON"),
    ] {
        bed.post(ROOMS).by(&alice).json(&body).await.refused(400, errcode);
    }
    bed.post(ROOMS).json(&json!({})).await.refused(401, "M_MISSING_TOKEN");
}

#[tokio::test(start_paused = true)]
async fn names_and_topics_are_listed_as_they_are() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let (name, topic) = ("un nom fran\u{e7}ais", "un topic \u{e0} la fran\u{e7}aise");
    let rooms = [
        ("nothing", None, None),
        ("name", Some("name_1"), None),
        ("topic", None, Some("topic_1")),
        ("both", Some("name_2"), Some("topic_2")),
        ("words", Some(name), Some(topic)),
    ];
    for (alias, name, topic) in rooms {
        let mut options = json!({ "visibility": "public", "room_alias_name": alias });
        for (key, value) in [("name", name), ("topic", topic)] {
            if let Some(value) = value {
                options[key] = json!(value);
            }
        }
        bed.room(&alice, options).await;
    }
    let listed = bed.get(ROOMS).by(&alice).await.ok();
    let listed = listed["chunk"].as_array().expect("a list");
    assert_eq!(listed.len(), rooms.len());
    for (alias, name, topic) in rooms {
        let alias = json!(format!("#{alias}:plop.example"));
        let room = listed.iter().find(|room| room["canonical_alias"] == alias).expect("it is listed");
        assert_eq!(
            (room.get("name"), room.get("topic")),
            (name.map(Value::from).as_ref(), topic.map(Value::from).as_ref())
        );
        assert_eq!(room["num_joined_members"], 1);
        assert!(room["world_readable"].is_boolean() && room["guest_can_join"].is_boolean());
    }
}
