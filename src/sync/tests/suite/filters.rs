//! What filters leave out.

use plop_accounts::filters::MAX_FILTER_BYTES;
use plop_sync::{FilterRefusal, SyncError, SyncRequest};
use serde_json::{Value, json as value};

use crate::bed::{Bed, id, json, keys, told, user};

/// The first answer for a filter.
async fn first(bed: &Bed, filter: Value) -> Value {
    let mut alice = bed.client("alice");
    alice.filter = Some(filter.to_string());
    alice.sync().await
}

#[tokio::test(start_paused = true)]
async fn types_senders_and_urls_choose_events() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    bed.join("bob", &room).await;
    bed.say("alice", &room, "a").await;
    bed.say("bob", &room, "b").await;
    let image = json(r#"{"body":"i","msgtype":"m.image","url":"mxc://a/b"}"#);
    bed.send("bob", &room, "m.room.message", None, image).await;
    bed.send("bob", &room, "org.example.x", None, json("{}")).await;
    let timeline = async |filter: Value| {
        let answer = first(&bed, value!({"room": {"timeline": filter}})).await;
        told(&answer["rooms"]["join"][room.as_str()]["timeline"]["events"])
    };
    let messages = value!({"types": ["m.room.message"]});
    assert_eq!(timeline(messages).await, ["a", "b", "i"]);
    assert_eq!(timeline(value!({"types": ["m.*.message", "org.*"]})).await, ["a", "b", "i", "org.example.x"]);
    assert_eq!(timeline(value!({"types": ["*"], "not_types": ["m.room.*"]})).await, ["org.example.x"]);
    assert_eq!(timeline(value!({"types": []})).await, [""; 0]);
    let of_bob = value!({"types": ["m.room.message"], "senders": ["@bob:plop.example"]});
    assert_eq!(timeline(of_bob).await, ["b", "i"]);
    let but_bob = value!({"types": ["m.room.message"], "not_senders": ["@bob:plop.example"]});
    assert_eq!(timeline(but_bob).await, ["a"]);
    assert_eq!(timeline(value!({"contains_url": true})).await, ["i"]);
    let no_url = value!({"types": ["m.room.message"], "contains_url": false});
    assert_eq!(timeline(no_url).await, ["a", "b"]);
    assert_eq!(timeline(value!({"not_rooms": [room]})).await, [""; 0]);
    assert_eq!(timeline(value!({"rooms": ["!other:plop.example"]})).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn rooms_are_chosen_before_anything_else() {
    let bed = Bed::new().await;
    let (one, two) = (bed.room("alice").await, bed.room("alice").await);
    let rooms = async |filter: Value| {
        let answer = first(&bed, value!({ "room": filter })).await;
        let mut rooms: Vec<String> =
            keys(&answer["rooms"]["join"]).into_iter().map(ToOwned::to_owned).collect();
        rooms.sort();
        rooms
    };
    assert_eq!(rooms(value!({"rooms": [one]})).await, [one.to_string()]);
    assert_eq!(rooms(value!({"not_rooms": [one]})).await, [two.to_string()]);
    assert_eq!(rooms(value!({"rooms": [one], "not_rooms": [one]})).await, [""; 0]);
    assert_eq!(rooms(value!({"rooms": []})).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn state_account_data_and_presence_have_filters_of_their_own() {
    let bed = Bed::new().await;
    bed.register("alice").await;
    let room = bed.room("alice").await;
    bed.join("bob", &room).await;
    bed.client("bob").sync_with(SyncRequest::default()).await;
    bed.set_account_data("alice", None, "org.example.a", json(r#"{"a":1}"#)).await;
    bed.set_account_data("alice", Some(&room), "org.example.b", json(r#"{"a":1}"#)).await;
    let everything = first(&bed, value!({})).await;
    assert!(everything["presence"].is_object() && everything["account_data"].is_object());
    let filter = value!({
        "presence": {"types": []},
        "account_data": {"not_types": ["*"]},
        "room": {
            "timeline": {"limit": 1},
            "state": {"types": ["m.room.create"]},
            "account_data": {"not_types": ["org.*"]},
        },
    });
    let answer = first(&bed, filter).await;
    assert_eq!(keys(&answer), ["next_batch", "rooms"]);
    let joined = &answer["rooms"]["join"][room.as_str()];
    assert_eq!(told(&joined["state"]["events"]), ["m.room.create"]);
    assert_eq!(joined["account_data"], value!(null));
}

#[tokio::test(start_paused = true)]
async fn events_have_the_form_and_the_members_that_are_asked_for() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    bed.say("alice", &room, "hello").await;
    let last = async |filter: Value| {
        let answer = first(&bed, filter).await;
        let events = answer["rooms"]["join"][room.as_str()]["timeline"]["events"].as_array().cloned();
        events.and_then(|events| events.last().cloned()).expect("an event")
    };
    let raw = last(value!({"event_format": "federation"})).await;
    for member in ["auth_events", "prev_events", "hashes", "signatures", "depth", "room_id", "unsigned"] {
        assert!(!raw[member].is_null(), "{member}");
    }
    let cut = last(value!({"event_fields": ["content.body", "sender"]})).await;
    assert_eq!(cut, value!({"content": {"body": "hello"}, "sender": "@alice:plop.example"}));
}

#[tokio::test(start_paused = true)]
async fn a_kept_filter_is_named_and_belongs_to_its_user() {
    let bed = Bed::new().await;
    bed.register("alice").await;
    let room = bed.room("alice").await;
    bed.say("alice", &room, "hello").await;
    let filter = value!({"room": {"timeline": {"types": ["m.room.message"]}}});
    let filter = filter.as_object().expect("an object");
    let name = bed.accounts.add_filter(&user("alice"), &id("alice"), filter).await.expect("a filter");
    let mut alice = bed.client("alice");
    alice.filter = Some(name.clone());
    for _ in 0..2 {
        alice.since = None;
        let answer = alice.sync().await;
        assert_eq!(told(&answer["rooms"]["join"][room.as_str()]["timeline"]["events"]), ["hello"]);
    }
    // Hostile input, row 83: a filter of another user is none.
    let mut bob = bed.client("bob");
    bob.filter = Some(name);
    let outcome = bob.try_sync(SyncRequest::default()).await;
    assert!(matches!(outcome, Err(SyncError::Filter(FilterRefusal::Unknown))));
}

/// Hostile input, row 140.
#[tokio::test(start_paused = true)]
async fn a_filter_that_is_none_or_too_much_is_refused() {
    let bed = Bed::new().await;
    let mut alice = bed.client("alice");
    let long = format!(r#"{{"event_fields":["{}"]}}"#, "a".repeat(MAX_FILTER_BYTES));
    let globs = value!({"room": {"state": {"types": vec!["*a*"; 100]}}}).to_string();
    for filter in ["{", "{\"room\":[]}", "unknown", &long, &globs] {
        alice.filter = Some(filter.to_owned());
        let outcome = alice.try_sync(SyncRequest::default()).await;
        assert!(matches!(outcome, Err(SyncError::Filter(_))), "{filter:.40}");
    }
}
