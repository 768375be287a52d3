//! `GET /rooms/{roomId}/context/{eventId}`.

use serde_json::{Value, json};

use crate::bed::{Bed, User};
use crate::call::Call;
use crate::chat::{encoded, path, text};

fn context(bed: &Bed, by: &User, room: &str, event: &str, query: &str) -> Call {
    bed.get(&format!("{}{query}", path("/rooms/{}/context/{}", &[room, event]))).by(by)
}

fn bodies(events: &Value) -> Vec<&str> {
    events.as_array().expect("a list").iter().filter_map(|event| event["content"]["body"].as_str()).collect()
}

/// Types and keys of a state.
fn keys(state: &Value) -> Vec<(String, String)> {
    let key = |event: &Value| (text(&event["type"]), text(&event["state_key"]));
    let mut keys: Vec<_> = state.as_array().expect("a list").iter().map(key).collect();
    keys.sort();
    keys
}

#[tokio::test(start_paused = true)]
async fn an_event_is_shown_with_what_stands_around_it() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let room = bed.room(&alice, json!({})).await;
    let mut ids = Vec::new();
    for word in ["a", "b", "c", "d", "e", "f", "g"] {
        ids.push(bed.say(&alice, &room, word).await);
    }
    bed.set(&alice, &room, "m.room.name", json!({ "name": "later" })).await;
    let answer = context(&bed, &alice, &room, &ids[3], "?limit=4").await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let around = answer.ok();
    assert_eq!(around["event"]["event_id"], ids[3].as_str());
    assert_eq!(bodies(&around["events_before"]), ["c", "b"]);
    assert_eq!(bodies(&around["events_after"]), ["e", "f"]);
    let state = keys(&around["state"]);
    assert!(state.contains(&("m.room.create".to_owned(), String::new())), "{state:?}");
    assert!(!state.contains(&("m.room.name".to_owned(), String::new())), "of then: {state:?}");
    for (token, dir, expected) in [(&around["start"], "b", "a"), (&around["end"], "f", "g")] {
        let token = encoded(&text(token));
        let uri = format!("/_matrix/client/v3/rooms/{room}/messages?dir={dir}&limit=1&from={token}");
        assert_eq!(bodies(&bed.get(&uri).by(&alice).await.ok()["chunk"]), [expected]);
    }
    let alone = context(&bed, &alice, &room, &ids[3], "?limit=0").await.ok();
    assert_eq!((&alone["events_before"], &alone["events_after"]), (&json!([]), &json!([])));
    assert_eq!(alone["event"]["event_id"], ids[3].as_str());
    let all = context(&bed, &alice, &room, &ids[3], "?limit=9007199254740991").await.ok();
    assert_eq!(bodies(&all["events_after"]), ["e", "f", "g"]);
    for query in ["?limit=-1", "?limit=x", "?filter=%7B", "?filter=1"] {
        context(&bed, &alice, &room, &ids[3], query).await.refused(400, "M_INVALID_PARAM");
    }
}

#[tokio::test(start_paused = true)]
async fn a_filter_is_for_what_stands_around_and_for_the_state() {
    let bed = Bed::new().await;
    let [alice, bob, carol] = bed.users(["alice", "bob", "carol"]).await;
    let room = bed.public_room(&alice, &[&bob, &carol]).await;
    bed.say(&alice, &room, "before").await;
    let event = bed.say(&bob, &room, "it").await;
    let get = async |filter: Value| {
        let query = format!("?limit=2&filter={}", encoded(&filter.to_string()));
        context(&bed, &alice, &room, &event, &query).await.ok()
    };
    let lazy = get(json!({ "lazy_load_members": true })).await;
    let members: Vec<_> = keys(&lazy["state"])
        .into_iter()
        .filter(|(kind, _)| kind == "m.room.member")
        .map(|(_, key)| key)
        .collect();
    assert_eq!(members, [alice.id.to_string(), bob.id.to_string()], "who sent what is shown");
    assert!(keys(&lazy["state"]).contains(&("m.room.power_levels".to_owned(), String::new())));
    let chosen = get(json!({ "types": ["m.room.member"], "senders": [carol.id] })).await;
    assert_eq!(chosen["event"]["event_id"], event.as_str(), "not for the event itself");
    assert_eq!(chosen["events_before"][0]["state_key"], json!(carol.id));
    assert_eq!(keys(&chosen["state"]), [("m.room.member".to_owned(), carol.id.to_string())]);
    let nothing = get(json!({ "types": [] })).await;
    assert_eq!((&nothing["state"], &nothing["events_before"]), (&json!([]), &json!([])));
}
