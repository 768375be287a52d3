//! Who may do what in a room, as clients set and read it.

use http::Method;
use serde_json::{Value, json};

use crate::bed::{Bed, User};
use crate::call::Call;

const LEVELS: &str = "m.room.power_levels";
/// Sent by everyone, with names of users as keys.
const KIND: &str = "com.example.test";
const SUFFIX: &str = "_state_key_suffix:!@#$123";

fn put(bed: &Bed, by: &User, room: &str, content: &Value) -> Call {
    bed.ask(by, Method::PUT, "/rooms/{}/state/{}", &[room, LEVELS]).json(content)
}

/// The levels of users; who has made the room has none from version 12 on.
fn users(version: &str, creator: &User, others: &Value) -> Value {
    let mut users = others.clone();
    if version != "12" {
        users[creator.id.as_str()] = json!(100);
    }
    users
}

#[tokio::test(start_paused = true)]
async fn who_has_the_power_of_the_default_lowers_it() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    for version in ["10", "11", "12"] {
        let levels = |default: u32| {
            let users = users(version, &alice, &json!({ bob.id.as_str(): 100 }));
            json!({ "users_default": default, "users": users, "events": {}, "notifications": {} })
        };
        let options = json!({ "preset": "public_chat", "room_version": version, "power_level_content_override": levels(100) });
        let room = bed.room(&alice, options).await;
        bed.join(&bob, &room).await.ok();
        put(&bed, &bob, &room, &levels(40)).await.ok();
        assert_eq!(bed.state(&alice, &room, LEVELS, "").await, levels(40), "{version}");
    }
}

#[tokio::test(start_paused = true)]
async fn levels_are_numbers_and_are_set_as_they_are_written() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    for version in ["11", "12"] {
        let room = bed.room(&alice, json!({ "room_version": version })).await;
        let first = bed.state(&alice, &room, LEVELS, "").await;
        for name in ["ban", "kick", "redact", "state_default", "events_default", "users_default"] {
            assert!(first[name].is_i64(), "{name} of {first}");
        }
        for name in ["events", "users"] {
            assert!(first[name].as_object().is_some_and(|levels| levels.values().all(Value::is_i64)));
        }
        let own = first["users"].get(alice.id.as_str()).cloned();
        assert_eq!(own, (version == "11").then(|| json!(100)), "{first}");

        let content =
            json!({ "invite": 100, "users": users(version, &alice, &json!({ "@random:their.home": 20 })) });
        let id = put(&bed, &alice, &room, &content).await.ok()["event_id"].clone();
        let event = bed.ask(&alice, Method::GET, "/rooms/{}/event/{}", &[&room, id.as_str().expect("an id")]);
        assert_eq!(event.await.ok()["content"], content);

        put(&bed, &alice, &room, &json!({ "users": users(version, &alice, &json!({})) })).await.ok();
        put(&bed, &alice, &room, &json!({})).await.ok();
        // Nobody has any power now, except for the creator of version 12, who is to be named nowhere.
        let (content, status, errcode) = match version {
            "12" => (json!({ "users": { alice.id.as_str(): 100 } }), 400, "M_BAD_JSON"),
            _ => (json!({ "users": {} }), 403, "M_FORBIDDEN"),
        };
        bed.without_effect(put(&bed, &alice, &room, &content)).await.refused(status, errcode);
        assert_eq!(bed.state(&alice, &room, LEVELS, "").await, json!({}));
    }
}

async fn room(bed: &Bed, by: &User, version: &str, members: &[&User]) -> String {
    let levels = json!({ "events": { KIND: 0 } });
    let options =
        json!({ "room_version": version, "preset": "public_chat", "power_level_content_override": levels });
    let room = bed.room(by, options).await;
    for member in members {
        bed.join(member, &room).await.ok();
    }
    room
}

fn own(bed: &Bed, by: &User, room: &str, key: &str) -> Call {
    bed.ask(by, Method::PUT, "/rooms/{}/state/{}/{}", &[room, KIND, key]).json(&json!({}))
}

#[tokio::test(start_paused = true)]
async fn a_key_that_begins_like_a_user_is_the_users_own() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["user-1-alice", "user_2-bob"]).await;
    for version in ["10", "12"] {
        let room = room(&bed, &alice, version, &[&bob]).await;
        own(&bed, &bob, &room, bob.id.as_str()).await.ok();
        for key in [
            format!("{}{SUFFIX}", alice.id),
            bob.id.to_string(),
            format!("{}{SUFFIX}", bob.id),
            "@notinroom:hs2".to_owned(),
            "@oops".to_owned(),
        ] {
            bed.without_effect(own(&bed, &alice, &room, &key)).await.refused(403, "M_FORBIDDEN");
        }
    }
}

/// MSC3757.
#[tokio::test(start_paused = true)]
async fn owned_state_has_more_in_its_key_and_is_set_by_who_has_more_power() {
    let bed = Bed::new().await;
    let [alice, bob, carol] = bed.users(["user-1-alice", "user_2-bob", "user-3-carol"]).await;
    let room = room(&bed, &alice, "org.matrix.msc3757.10", &[&bob, &carol]).await;
    let create = bed.state(&alice, &room, "m.room.create", "").await;
    assert_eq!(create["room_version"], "org.matrix.msc3757.10");
    let suffixed = |user: &User| format!("{}{SUFFIX}", user.id);
    own(&bed, &bob, &room, bob.id.as_str()).await.ok();
    own(&bed, &bob, &room, &suffixed(&bob)).await.ok();
    for key in [carol.id.to_string(), suffixed(&carol), "@notinroom:hs2".to_owned()] {
        own(&bed, &alice, &room, &key).await.ok();
    }
    for key in [
        carol.id.to_string(),
        suffixed(&carol),
        format!("{}{}", bob.id, SUFFIX.trim_start_matches('_')),
        format!("@prefix_{}{SUFFIX}", bob.id),
    ] {
        bed.without_effect(own(&bed, &bob, &room, &key)).await.refused(403, "M_FORBIDDEN");
    }
    for key in ["@oops".to_owned(), format!("{}@{}", alice.id, SUFFIX.trim_start_matches('_'))] {
        bed.without_effect(own(&bed, &alice, &room, &key)).await.refused(400, "M_BAD_JSON");
    }
    let kept = bed.restarted().await.state(&alice, &room, KIND, &suffixed(&bob)).await;
    assert_eq!(kept, json!({}));
}
