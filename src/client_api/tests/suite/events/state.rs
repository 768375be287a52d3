//! `GET /rooms/{roomId}/state` and its entries.

use std::collections::BTreeSet;

use http::Method;
use serde_json::{Value, json};

use crate::bed::{Bed, User};

async fn all(bed: &Bed, by: &User, room: &str) -> Vec<Value> {
    let body = bed.ask(by, Method::GET, "/rooms/{}/state", &[room]).await.ok();
    body.as_array().expect("a list").clone()
}

#[tokio::test(start_paused = true)]
async fn the_whole_state_is_listed_once() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let room = bed.room(&alice, json!({ "name": "Den" })).await;
    // More than one page of the list.
    for key in 0..450 {
        let call = bed.ask(&alice, Method::PUT, "/rooms/{}/state/m.x/{}", &[&room, &key.to_string()]);
        call.json(&json!({ "key": key })).await.ok();
    }
    let events = all(&bed, &alice, &room).await;
    let keys: BTreeSet<_> =
        events.iter().map(|event| (event["type"].to_string(), event["state_key"].to_string())).collect();
    assert_eq!(keys.len(), events.len());
    assert_eq!(events.iter().filter(|event| event["type"] == "m.x").count(), 450);
    let name = events.iter().find(|event| event["type"] == "m.room.name").expect("a name");
    assert_eq!((&name["content"], &name["room_id"]), (&json!({ "name": "Den" }), &json!(room)));
    assert!(
        name["event_id"].is_string() && name["origin_server_ts"].is_number() && name["sender"].is_string()
    );
}

#[tokio::test(start_paused = true)]
async fn an_entry_is_shown_as_content_or_as_event() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let room = bed.room(&alice, json!({ "name": "Den" })).await;
    let get = |rest: &str| bed.get(&format!("/_matrix/client/v3/rooms/{room}/state/{rest}")).by(&alice);
    for rest in ["m.room.name", "m.room.name/", "m.room.name?format=content"] {
        let answer = get(rest).await;
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.ok(), json!({ "name": "Den" }), "{rest}");
    }
    let event = get("m.room.name/?format=event").await.ok();
    assert_eq!((&event["content"], &event["type"]), (&json!({ "name": "Den" }), &json!("m.room.name")));
    assert_eq!((&event["sender"], &event["room_id"]), (&json!(alice.id), &json!(room)));
    get("m.room.name?format=xml").await.refused(400, "M_INVALID_PARAM");
    for rest in ["m.room.topic", "m.room.name/key", &"k".repeat(300)] {
        get(rest).await.refused(404, "M_NOT_FOUND");
    }
}

/// Rows 77 and 79 of the hostile input: no list tells a private room from none.
#[tokio::test(start_paused = true)]
async fn row_77_strangers_read_nothing_and_cannot_tell_what_is_there() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let private = bed.room(&alice, json!({})).await;
    for list in ["state", "state/m.room.create", "state/m.absent", "members", "joined_members", "aliases"] {
        let refused = async |room: &str| {
            let call = bed.get(&format!("/_matrix/client/v3/rooms/{room}/{list}")).by(&bob);
            bed.without_effect(call).await.refused(403, "M_FORBIDDEN")
        };
        assert_eq!(refused(&private).await, refused("!absent:plop.example").await, "{list}");
        let none = bed.get(&format!("/_matrix/client/v3/rooms/absent/{list}")).by(&bob).await;
        none.refused(400, "M_INVALID_PARAM");
        let anonymous = bed.get(&format!("/_matrix/client/v3/rooms/{private}/{list}")).await;
        anonymous.refused(401, "M_MISSING_TOKEN");
    }
}

/// Row 75 of the hostile input, for this list: one who left gets the state of then.
#[tokio::test(start_paused = true)]
async fn row_75_who_left_gets_nothing_newer() {
    let bed = Bed::new().await;
    let [alice, bob, carol] = bed.users(["alice", "bob", "carol"]).await;
    for action in ["leave", "kick", "ban"] {
        let room = bed.public_room(&alice, &[&bob]).await;
        bed.set(&alice, &room, "m.room.name", json!({ "name": "before" })).await;
        match action {
            "leave" => bed.leave(&bob, &room).await.ok(),
            action => bed.act_on(&alice, &room, action, &bob).await.ok(),
        };
        bed.set(&alice, &room, "m.room.name", json!({ "name": "after" })).await;
        bed.set(&alice, &room, "m.new", json!({})).await;
        bed.join(&carol, &room).await.ok();
        assert_eq!(bed.state(&bob, &room, "m.room.name", "").await["name"], "before", "{action}");
        assert_eq!(bed.state(&alice, &room, "m.room.name", "").await["name"], "after");
        let new = bed.ask(&bob, Method::GET, "/rooms/{}/state/m.new", &[&room]).await;
        new.refused(404, "M_NOT_FOUND");
        let events = all(&bed, &bob, &room).await;
        assert!(events.iter().all(|event| event["type"] != "m.new" && event["state_key"] != json!(carol.id)));
        assert!(events.iter().any(|event| event["content"]["name"] == "before"));
    }
}

#[tokio::test(start_paused = true)]
async fn everyone_reads_the_state_of_a_world_readable_room() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let room = bed.room(&alice, json!({})).await;
    let visibility = json!({ "history_visibility": "world_readable" });
    bed.set(&alice, &room, "m.room.history_visibility", visibility.clone()).await;
    assert_eq!(bed.state(&bob, &room, "m.room.history_visibility", "").await, visibility);
    assert_eq!(all(&bed, &bob, &room).await.len(), all(&bed, &alice, &room).await.len());
}
