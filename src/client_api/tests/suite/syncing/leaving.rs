//! Rooms that were left, in `/sync`.

use http::Method;
use serde_json::{Value, json};

use super::{limited, sync};
use crate::bed::Bed;
use crate::chat::text;

const WITH_LEFT: &str = r#"{"room":{"include_leave":true}}"#;
const WITH_LEFT_OF_ONE: &str = r#"{"room":{"include_leave":true,"timeline":{"limit":1}}}"#;

/// Whether a room is told of as left, and nowhere else.
fn is_left(answer: &Value, room: &str) -> bool {
    answer["rooms"]["leave"].get(room).is_some() && answer["rooms"]["join"].get(room).is_none()
}

#[tokio::test(start_paused = true)]
async fn a_room_that_was_left_is_told_of_in_every_way() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let (room, other) = (bed.room(&alice, json!({})).await, bed.room(&alice, json!({})).await);
    let filters = [WITH_LEFT, "", WITH_LEFT_OF_ONE];
    let mut tokens = Vec::new();
    for filter in filters {
        tokens.push(text(&sync(&bed, &alice, "", filter, "").await["next_batch"]));
    }
    bed.leave(&alice, &room).await.ok();
    for number in 0..20 {
        bed.say(&alice, &other, &number.to_string()).await;
    }
    assert!(is_left(&sync(&bed, &alice, "", WITH_LEFT, "").await, &room));
    assert!(is_left(&sync(&bed, &alice, &tokens[0], WITH_LEFT, "&full_state=true").await, &room));
    for (since, filter) in tokens.iter().zip(filters) {
        assert!(is_left(&sync(&bed, &alice, since, filter, "").await, &room), "{filter}");
    }
    let without = sync(&bed, &alice, "", "", "").await;
    assert_eq!(without["rooms"].get("leave"), None);
}

#[tokio::test(start_paused = true)]
async fn a_room_that_was_left_ends_with_the_departure() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let filter = r#"{"room":{"include_leave":true,"timeline":{"types":["m.room.message","a.madeup.test.state"]},
        "state":{"types":["a.madeup.test.state"]}}}"#;
    let room = bed.public_room(&alice, &[&bob]).await;
    let since = text(&sync(&bed, &bob, "", filter, "").await["next_batch"]);
    let speak = async |word: &str| {
        bed.say(&alice, &room, word).await;
        bed.set(&alice, &room, "a.madeup.test.state", json!({ "my_key": word })).await;
    };
    speak("before").await;
    bed.leave(&bob, &room).await.ok();
    speak("after").await;
    for since in ["", &since] {
        let left = sync(&bed, &bob, since, filter, "").await["rooms"]["leave"][&room].clone();
        let timeline = left["timeline"]["events"].as_array().expect("events");
        assert_eq!(timeline.len(), 2, "{left}");
        assert_eq!(
            (&timeline[0]["content"]["body"], &timeline[1]["content"]["my_key"]),
            (&json!("before"), &json!("before"))
        );
        assert!(left["state"]["events"].as_array().is_none_or(Vec::is_empty), "{left}");
    }
    // Without a timeline the state has it all, the departure included.
    let none = r#"{"room":{"include_leave":true,"timeline":{"limit":0}}}"#;
    let left = sync(&bed, &bob, "", none, "").await["rooms"]["leave"][&room].clone();
    assert_eq!(left["timeline"]["events"], json!([]));
    let state = left["state"]["events"].as_array().expect("events");
    let of = |kind: &str, key: &str| {
        let found = state.iter().find(|event| event["type"] == kind && event["state_key"] == key);
        found.map(|event| event["content"].clone()).unwrap_or_default()
    };
    assert_eq!(of("m.room.member", bob.id.as_str())["membership"], "leave", "{left}");
    assert_eq!(of("a.madeup.test.state", "")["my_key"], "before");
}

#[tokio::test(start_paused = true)]
async fn what_others_do_in_a_room_that_was_left_is_not_told() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let (left, other) = (bed.public_room(&alice, &[&bob]).await, bed.public_room(&alice, &[&bob]).await);
    let start = text(&sync(&bed, &alice, "", WITH_LEFT_OF_ONE, "").await["next_batch"]);
    bed.leave(&alice, &left).await.ok();
    let departure = sync(&bed, &alice, &start, WITH_LEFT_OF_ONE, "").await;
    assert!(is_left(&departure, &left));
    let member = bed.ask(&bob, Method::PUT, "/rooms/{}/state/m.room.member/{}", &[&left, bob.id.as_str()]);
    member.json(&json!({ "membership": "join", "filler": "Welcome back" })).await.ok();
    for number in 0..20 {
        bed.say(&bob, &other, &number.to_string()).await;
    }
    let news = sync(&bed, &alice, &text(&departure["next_batch"]), WITH_LEFT_OF_ONE, "").await;
    assert_eq!(news["rooms"].get("leave"), None, "{news}");
}

#[tokio::test(start_paused = true)]
async fn ones_own_departure_is_seen_whatever_the_visibility_of_the_history() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let visibility = json!([{ "type": "m.room.history_visibility", "state_key": "",
        "content": { "history_visibility": "joined" } }]);
    let room = bed.room(&alice, json!({ "preset": "public_chat", "initial_state": visibility })).await;
    bed.join(&bob, &room).await.ok();
    let since = text(&sync(&bed, &alice, "", WITH_LEFT, "").await["next_batch"]);
    bed.leave(&alice, &room).await.ok();
    let left = sync(&bed, &alice, &since, WITH_LEFT, "").await["rooms"]["leave"][&room].clone();
    assert!(left["state"]["events"].as_array().is_none_or(Vec::is_empty), "{left}");
    let timeline = left["timeline"]["events"].as_array().expect("events");
    assert_eq!(
        (timeline.len(), &timeline[0]["type"], &timeline[0]["sender"]),
        (1, &json!("m.room.member"), &json!(alice.id))
    );
    assert_eq!(timeline[0]["content"]["membership"], "leave");

    // And that of one who was invited only.
    let closed = bed.room(&bob, json!({ "initial_state": visibility })).await;
    let since = text(&sync(&bed, &alice, "", WITH_LEFT, "").await["next_batch"]);
    bed.act_on(&bob, &closed, "invite", &alice).await.ok();
    let invited = sync(&bed, &alice, &since, WITH_LEFT, "").await;
    assert!(invited["rooms"]["invite"].get(&closed).is_some());
    bed.leave(&alice, &closed).await.ok();
    assert!(is_left(&sync(&bed, &alice, &text(&invited["next_batch"]), WITH_LEFT, "").await, &closed));
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_has_left_nothing() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let room = bed.public_room(&bob, &[]).await;
    let since = text(&sync(&bed, &alice, "", "", "").await["next_batch"]);
    let mut step = since.clone();
    for action in ["join", "leave", "join"] {
        let outcome =
            if action == "join" { bed.join(&alice, &room).await } else { bed.leave(&alice, &room).await };
        outcome.ok();
        let answer = sync(&bed, &alice, &step, "", "").await;
        assert!(answer["rooms"][action].get(&room).is_some(), "{answer}");
        step = text(&answer["next_batch"]);
    }
    let whole = sync(&bed, &alice, &since, "", "").await;
    assert!(whole["rooms"].get("leave").is_none() && whole["rooms"]["join"].get(&room).is_some());

    // An invitation that was rejected, and a room that was joined all the same.
    let public = bed.public_room(&bob, &[]).await;
    let since = text(&sync(&bed, &alice, "", "", "").await["next_batch"]);
    bed.act_on(&bob, &public, "invite", &alice).await.ok();
    bed.leave(&alice, &public).await.ok();
    let rejected = sync(&bed, &alice, &since, "", "&full_state=true").await;
    assert!(is_left(&rejected, &public), "{rejected}");
    bed.join(&alice, &public).await.ok();
    let joined = sync(&bed, &alice, &text(&rejected["next_batch"]), "", "&full_state=true").await;
    assert_eq!(joined["rooms"].get("leave"), None);
    assert!(joined["rooms"]["join"].get(&public).is_some());
    assert!(!limited(&joined, &public));
}
