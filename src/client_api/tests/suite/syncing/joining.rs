//! Rooms that one is in, and those who are there, in `/sync`.

use http::Method;
use serde_json::{Value, json};

use super::{limited, sync};
use crate::bed::{Bed, User};
use crate::chat::text;

const OF_TEN: &str = r#"{"room":{"timeline":{"limit":10}}}"#;

fn timeline(answer: &Value, room: &str) -> Vec<Value> {
    let events = answer["rooms"]["join"][room]["timeline"]["events"].as_array();
    events.cloned().unwrap_or_default()
}

/// What is there has the form that it must have.
fn check_form(answer: &Value, room: &str) {
    let joined = &answer["rooms"]["join"][room];
    for part in ["timeline", "state", "ephemeral"] {
        assert!(joined.get(part).is_none_or(|part| part["events"].is_array()), "{joined}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_room_is_told_of_when_it_is_new_and_not_again() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let before = text(&sync(&bed, &alice, "", OF_TEN, "").await["next_batch"]);
    let room = bed.room(&alice, json!({})).await;
    for since in ["", &before] {
        let answer = sync(&bed, &alice, since, OF_TEN, "").await;
        check_form(&answer, &room);
        let events = timeline(&answer, &room);
        assert_eq!((&events[0]["type"], &events[0]["sender"]), (&json!("m.room.create"), &json!(alice.id)));
        let own = events.iter().find(|event| event["state_key"] == json!(alice.id)).expect("one's own");
        assert_eq!((&own["sender"], &own["content"]["membership"]), (&json!(alice.id), &json!("join")));
        let next = text(&answer["next_batch"]);
        assert_eq!(sync(&bed, &alice, &next, OF_TEN, "").await.get("rooms"), None);
        let full = sync(&bed, &alice, &next, OF_TEN, "&full_state=true").await;
        check_form(&full, &room);
        assert!(full["rooms"]["join"][&room]["state"]["events"].is_array());
    }
    bed.set(&alice, &room, "m.room.topic", json!({ "topic": "Testing topic" })).await;
    let events = timeline(&sync(&bed, &alice, "", OF_TEN, "").await, &room);
    let topic = events.last().expect("an event");
    assert_eq!((&topic["type"], &topic["state_key"]), (&json!("m.room.topic"), &json!("")));
    assert_eq!((&topic["sender"], &topic["content"]["topic"]), (&json!(alice.id), &json!("Testing topic")));
}

#[tokio::test(start_paused = true)]
async fn the_timeline_of_a_room_that_was_joined_is_what_the_filter_keeps() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let messages = |limit: u32| {
        json!({ "room": { "timeline": { "limit": limit, "types": ["m.room.message"] }, "state": { "types": [] } } })
            .to_string()
    };
    for (limit, kept) in [(10, 8), (5, 5)] {
        let room = bed.room(&alice, json!({ "preset": "public_chat" })).await;
        for number in 0..4 {
            bed.say(&alice, &room, &format!("{limit} 1-{number}")).await;
        }
        let since = text(&sync(&bed, &bob, "", &messages(limit), "").await["next_batch"]);
        for number in 0..4 {
            bed.say(&alice, &room, &format!("{limit} 2-{number}")).await;
        }
        bed.join(&bob, &room).await.ok();
        let answer = sync(&bed, &bob, &since, &messages(limit), "").await;
        let events = timeline(&answer, &room);
        assert!(events.iter().all(|event| event["type"] == "m.room.message"));
        assert_eq!(events.len(), kept);
        // More came before it, be it none that the filter keeps.
        assert!(limited(&answer, &room), "{answer}");
    }
    // One message, and much that is none behind it.
    let room = bed.room(&alice, json!({})).await;
    let said = bed.say(&alice, &room, "A test message").await;
    for number in 0..12 {
        bed.send(&alice, &room, "a.made.up.filler.type", &number.to_string(), json!({})).await;
    }
    let events = timeline(&sync(&bed, &alice, "", &messages(1), "").await, &room);
    assert_eq!((events.len(), &events[0]["event_id"]), (1, &json!(said)));
}

#[tokio::test(start_paused = true)]
async fn a_summary_counts_who_is_there_and_who_is_invited() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let since = text(&sync(&bed, &alice, "", "", "").await["next_batch"]);
    let room = bed.room(&alice, json!({ "preset": "public_chat", "invite": [bob.id] })).await;
    let counts = |answer: &Value| {
        let summary = &answer["rooms"]["join"][&room]["summary"];
        (summary["m.joined_member_count"].clone(), summary["m.invited_member_count"].clone())
    };
    let first = sync(&bed, &alice, &since, "", "").await;
    assert_eq!(counts(&first), (json!(1), json!(1)));
    let invited = sync(&bed, &bob, "", "", "").await;
    bed.join(&bob, &room).await.ok();
    for (user, answer) in [(&bob, &invited), (&alice, &first)] {
        let answer = sync(&bed, user, &text(&answer["next_batch"]), "", "").await;
        assert_eq!(counts(&answer), (json!(2), json!(0)));
        assert!(timeline(&answer, &room).iter().any(|event| event["state_key"] == json!(bob.id)));
    }
}

fn seen(answer: &Value) -> Vec<String> {
    let events = answer["presence"]["events"].as_array().cloned().unwrap_or_default();
    assert!(events.iter().all(|event| event["type"] == "m.presence" && event["content"].is_object()));
    let mut users: Vec<_> = events.iter().map(|event| text(&event["sender"])).collect();
    users.sort();
    users
}

#[tokio::test(start_paused = true)]
async fn who_comes_into_a_room_sees_who_is_there_and_is_seen() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let room = bed.room(&alice, json!({ "preset": "public_chat" })).await;
    let of_alice = text(&sync(&bed, &alice, "", "", "").await["next_batch"]);
    let of_bob = text(&sync(&bed, &bob, "", "", "").await["next_batch"]);
    bed.join(&bob, &room).await.ok();
    for (user, since, other) in [(&bob, &of_bob, &alice), (&alice, &of_alice, &bob)] {
        let answer = sync(&bed, user, since, "", "").await;
        assert!(seen(&answer).contains(&other.id.to_string()), "{answer}");
        assert!(
            !seen(&sync(&bed, user, &text(&answer["next_batch"]), "", "").await)
                .contains(&other.id.to_string())
        );
        let first = sync(&bed, user, "", "", "").await;
        assert!(seen(&first).contains(&other.id.to_string()), "{first}");
        assert!(first["rooms"]["join"].get(&room).is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn presence_comes_from_all_rooms() {
    let bed = Bed::new().await;
    let [alice, bob, carol] = bed.users(["alice", "bob", "carol"]).await;
    for other in [&bob, &carol] {
        let room = bed.room(&alice, json!({})).await;
        bed.act_on(&alice, &room, "invite", other).await.ok();
        bed.join(other, &room).await.ok();
    }
    let since = text(&sync(&bed, &alice, "", "", "").await["next_batch"]);
    for user in [&bob, &carol] {
        let status = bed.ask(user, Method::PUT, "/presence/{}/status", &[user.id.as_str()]);
        status.json(&json!({ "presence": "online" })).await.ok();
    }
    let answer = sync(&bed, &alice, &since, "", "").await;
    for user in [&bob, &carol] {
        let events = answer["presence"]["events"].as_array().expect("events");
        let event = events.iter().find(|event| event["sender"] == json!(user.id)).expect("told");
        assert_eq!(event["content"]["presence"], "online");
    }
}

/// MSC4222.
#[tokio::test(start_paused = true)]
async fn the_state_after_a_timeline_has_those_who_speak_in_it() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let filter = r#"{"room":{"timeline":{"limit":20},"state":{"lazy_load_members":true}}}"#;
    let public = bed.public_room(&alice, &[&bob]).await;
    let private = bed.room(&alice, json!({ "preset": "private_chat", "invite": [bob.id] })).await;
    bed.join(&bob, &private).await.ok();
    for (parameter, key) in [
        ("&use_state_after=true", "state_after"),
        ("&org.matrix.msc4222.use_state_after=true", "org.matrix.msc4222.state_after"),
    ] {
        let answer = sync(&bed, &alice, "", filter, parameter).await;
        for room in [&public, &private] {
            let senders = |events: &[Value]| {
                let mut users: Vec<_> = events.iter().map(|event| text(&event["sender"])).collect();
                users.sort();
                users.dedup();
                users
            };
            let both = [&alice, &bob].map(|user: &User| user.id.to_string());
            assert_eq!(senders(&timeline(&answer, room)), both);
            let state = answer["rooms"]["join"][room][key]["events"].as_array().expect("events").clone();
            let members: Vec<_> =
                state.into_iter().filter(|event| event["type"] == "m.room.member").collect();
            assert_eq!(senders(&members), both, "{parameter}");
        }
    }
}
