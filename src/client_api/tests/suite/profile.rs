//! Profiles over HTTP.

use std::time::Duration;

use serde_json::{Value, json};

use crate::bed::{Bed, User};

fn field(user: &str, name: &str) -> String {
    format!("/_matrix/client/v3/profile/@{user}:plop.example/{name}")
}

async fn set(bed: &Bed, user: &User, name: &str, value: Value) {
    let path = field(user.id.localpart(), name);
    assert_eq!(bed.put(&path).by(user).json(&json!({ name: value })).await.ok(), json!({}));
}

#[tokio::test(start_paused = true)]
async fn a_profile_is_set_field_by_field_and_read_by_everyone() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let whole = "/_matrix/client/v3/profile/@alice:plop.example";
    assert_eq!(bed.get(whole).await.ok(), json!({}));
    bed.get(&field("alice", "displayname")).await.refused(404, "M_NOT_FOUND");
    let fields = [
        ("displayname", json!("Alice")),
        ("avatar_url", json!("mxc://plop.example/abc")),
        ("m.tz", json!("Europe/London")),
        ("org.example.job", json!({ "title": "Queen", "since": [1, 2] })),
        ("us.cloke.msc4175.tz", json!("Europe/London")),
        ("org.example.nothing", json!(null)),
    ];
    for (name, value) in &fields {
        set(&bed, &alice, name, value.clone()).await;
        assert_eq!(bed.get(&field("alice", name)).await.ok(), json!({ *name: value }));
    }
    let expected: serde_json::Map<String, Value> =
        fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    assert_eq!(bed.get(whole).await.ok(), Value::Object(expected));
    for path in ["displayname", "avatar_url"] {
        let former = format!("/_matrix/client/r0/profile/@alice:plop.example/{path}");
        bed.get(&former).await.ok();
    }
    set(&bed, &alice, "displayname", json!("")).await;
    bed.get(&field("alice", "displayname")).await.refused(404, "M_NOT_FOUND");
    for _ in 0..2 {
        assert_eq!(bed.delete(&field("alice", "avatar_url")).by(&alice).await.ok(), json!({}));
    }
    bed.get(&field("alice", "avatar_url")).await.refused(404, "M_NOT_FOUND");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_field_is_refused() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let long = format!("org.{}", "x".repeat(252));
    for (name, body, errcode) in [
        ("displayname", json!({}), "M_MISSING_PARAM"),
        ("displayname", json!({ "avatar_url": "mxc://plop.example/abc" }), "M_MISSING_PARAM"),
        ("displayname", json!({ "displayname": 5 }), "M_BAD_JSON"),
        ("displayname", json!({ "displayname": null }), "M_BAD_JSON"),
        ("avatar_url", json!({ "avatar_url": "https://plop.example/a.png" }), "M_BAD_JSON"),
        ("job", json!({ "job": "Queen" }), "M_INVALID_PARAM"),
        ("Org.example", json!({ "Org.example": 1 }), "M_INVALID_PARAM"),
        (&long, json!({ &long: 1 }), "M_KEY_TOO_LARGE"),
        ("org.big", json!({ "org.big": "x".repeat(70_000) }), "M_PROFILE_TOO_LARGE"),
        ("org.list", json!([]), "M_BAD_JSON"),
    ] {
        bed.put(&field("alice", name)).by(&alice).json(&body).await.refused(400, errcode);
    }
    bed.put(&field("alice", "displayname"))
        .by(&alice)
        .text(r#"{"displayname":"a"} x"#)
        .await
        .refused(400, "M_NOT_JSON");
    bed.delete(&field("alice", "job")).by(&alice).await.refused(400, "M_INVALID_PARAM");
    let deep = format!(r#"{{"org.deep":{}1{}}}"#, "[".repeat(1_000), "]".repeat(1_000));
    bed.put(&field("alice", "org.deep")).by(&alice).text(deep).await.refused(400, "M_NOT_JSON");
    assert_eq!(bed.get("/_matrix/client/v3/profile/@alice:plop.example").await.ok(), json!({}));
}

/// Rows 85 and 116 of the hostile input: who is not here, is not here any more, or is elsewhere.
#[tokio::test(start_paused = true)]
async fn b4_85_b8_116_there_is_one_answer_for_every_absent_user() {
    let bed = Bed::new().await;
    let bob = bed.user("bob").await;
    set(&bed, &bob, "displayname", json!("Bob")).await;
    plop_bed::deactivate(&bed.api.accounts, &bob.actor(), false).await.expect("deactivated");
    let mut answers = Vec::new();
    for user in ["@nobody:plop.example", "@bob:plop.example", "@alice:elsewhere.example"] {
        for path in ["", "/displayname", "/org.example.job"] {
            let path = format!("/_matrix/client/v3/profile/{user}{path}");
            answers.push(bed.get(&path).await.refused(404, "M_NOT_FOUND"));
        }
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
    let too_long = format!("@{}:plop.example", "a".repeat(250));
    for user in ["alice", "@alice", "@:", &too_long] {
        let path = format!("/_matrix/client/v3/profile/{user}");
        bed.get(&path).await.refused(400, "M_INVALID_PARAM");
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_changes_the_profile_of_another() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    bed.user("bob").await;
    for user in ["bob", "nobody"] {
        let name = json!({ "displayname": "x" });
        bed.put(&field(user, "displayname")).by(&alice).json(&name).await.refused(403, "M_FORBIDDEN");
        bed.delete(&field(user, "displayname")).by(&alice).await.refused(403, "M_FORBIDDEN");
    }
    let elsewhere = "/_matrix/client/v3/profile/@alice:elsewhere.example/displayname";
    bed.put(elsewhere).by(&alice).json(&json!({ "displayname": "x" })).await.refused(403, "M_FORBIDDEN");
}

/// The rooms follow, also across a restart: the request waits for none of them.
#[tokio::test(start_paused = true)]
async fn a_new_name_is_answered_at_once_and_then_reaches_every_room() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let mut rooms = Vec::new();
    for _ in 0..200 {
        // One user makes no two rooms alike in one millisecond: their ids would be the same.
        bed.clock.sleep(Duration::from_millis(1)).await;
        let room = bed.post("/_matrix/client/v3/createRoom").by(&alice).json(&json!({})).await.ok();
        rooms.push(room["room_id"].as_str().expect("a room").to_owned());
    }
    let shown = async |bed: &Bed, room: &str| {
        let path = format!("/_matrix/client/v3/rooms/{room}/state/m.room.member/{}", alice.id);
        bed.get(&path).by(&alice).await.ok().get("displayname").cloned()
    };
    set(&bed, &alice, "displayname", json!("Alice")).await;
    assert_eq!(bed.get(&field("alice", "displayname")).await.ok(), json!({ "displayname": "Alice" }));
    for room in &rooms {
        assert_eq!(shown(&bed, room).await, None);
    }
    let bed = bed.restarted().await;
    bed.upkeep().catch_up().await.expect("done");
    for room in &rooms {
        assert_eq!(shown(&bed, room).await, Some(json!("Alice")));
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_name_and_a_new_picture_are_told_to_the_rooms() {
    let bed = Bed::new().await;
    let alice = bed.user("alice").await;
    let room = bed.room(&alice, json!({ "preset": "public_chat" })).await;
    for (name, value) in [("avatar_url", "mxc://plop.example/lemur"), ("displayname", "LemurLover")] {
        let synced = bed.get("/_matrix/client/v3/sync").by(&alice).await.ok();
        set(&bed, &alice, name, json!(value)).await;
        bed.upkeep().catch_up().await.expect("done");
        let since = synced["next_batch"].as_str().expect("a token");
        let news = bed.get(&format!("/_matrix/client/v3/sync?since={since}")).by(&alice).await.ok();
        let event = &news["rooms"]["join"][&room]["timeline"]["events"][0];
        assert_eq!((&event["type"], &event["state_key"]), (&json!("m.room.member"), &json!(alice.id)));
        assert_eq!(
            (&event["content"]["membership"], &event["content"][name]),
            (&json!("join"), &json!(value))
        );
    }
}
