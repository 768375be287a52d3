//! `GET /rooms/{roomId}/messages`.

use http::Method;
use serde_json::{Value, json};

use crate::bed::{Bed, User};
use crate::call::Call;
use crate::chat::{encoded, text};

fn messages(bed: &Bed, by: &User, room: &str, query: &str) -> Call {
    bed.get(&format!("/_matrix/client/v3/rooms/{room}/messages?{query}")).by(by)
}

/// What was said on a page.
fn said(page: &Value) -> Vec<&str> {
    let chunk = page["chunk"].as_array().expect("a list").iter();
    chunk.filter_map(|event| event["content"]["body"].as_str()).collect()
}

async fn sync(bed: &Bed, by: &User) -> Value {
    bed.get("/_matrix/client/v3/sync").by(by).await.ok()
}

async fn talk(bed: &Bed, by: &User, room: &str, words: &[&str]) {
    for word in words {
        bed.say(by, room, word).await;
    }
}

#[tokio::test(start_paused = true)]
async fn pages_lead_through_the_history_in_both_directions() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let room = bed.room(&alice, json!({})).await;
    talk(&bed, &alice, &room, &["a", "b", "c", "d"]).await;
    let first = messages(&bed, &alice, &room, "dir=b&limit=3").await.ok();
    assert_eq!(said(&first), ["d", "c", "b"]);
    assert!(first.get("state").is_none(), "{first}");
    let from = format!("dir=b&limit=1&from={}", encoded(first["end"].as_str().expect("an end")));
    let second = messages(&bed, &alice, &room, &from).await.ok();
    assert_eq!((said(&second), &second["start"]), (vec!["a"], &first["end"]));
    let back = format!("dir=f&from={}", encoded(second["end"].as_str().expect("an end")));
    let back = messages(&bed, &alice, &room, &back).await.ok();
    assert_eq!((said(&back), back.get("end")), (vec!["a", "b", "c", "d"], None));
    let (from, to) = (encoded(&text(&first["start"])), encoded(&text(&first["end"])));
    let between = messages(&bed, &alice, &room, &format!("dir=b&from={from}&to={to}&limit=100")).await.ok();
    assert_eq!((said(&between), between.get("end")), (vec!["d", "c", "b"], None));
    let all = messages(&bed, &alice, &room, "dir=f&limit=1000").await.ok();
    assert_eq!(all["chunk"][0]["type"], "m.room.create");
    assert_eq!(all.get("end"), None);
}

#[tokio::test(start_paused = true)]
async fn limits_are_kept_within_bounds() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let room = bed.room(&alice, json!({})).await;
    for number in 0..15 {
        bed.say(&alice, &room, &number.to_string()).await;
    }
    let count = async |query: &str| said(&messages(&bed, &alice, &room, query).await.ok()).len();
    assert_eq!(count("").await, 10, "backwards, ten, as other servers do it");
    assert_eq!(count("dir=b&from=&to=").await, 10);
    assert_eq!(count("dir=b&limit=9007199254740991").await, 15);
    assert_eq!(count("dir=b&limit=0").await, 0);
    assert_eq!(count(&format!("dir=b&limit=12&filter={}", encoded(r#"{"limit":3}"#))).await, 3);
    for query in ["limit=-1", "limit=1.5", "limit=9007199254740992", "dir=x", "dir=", "dir=b&dir=f"] {
        messages(&bed, &alice, &room, query).await.refused(400, "M_INVALID_PARAM");
    }
}

#[tokio::test(start_paused = true)]
async fn a_filter_chooses_events_and_brings_their_senders() {
    let bed = Bed::new().await;
    let [alice, bob, carol] = bed.users(["alice", "bob", "carol"]).await;
    let room = bed.public_room(&alice, &[&bob, &carol]).await;
    bed.say(&alice, &room, "a").await;
    bed.say(&bob, &room, "b").await;
    let get = |filter: Value, rest: &str| {
        messages(&bed, &alice, &room, &format!("filter={}{rest}", encoded(&filter.to_string())))
    };
    let chosen = async |filter: Value| get(filter, "&limit=100").await.ok();
    assert_eq!(said(&chosen(json!({ "types": ["m.room.message"], "senders": [bob.id] })).await), ["b"]);
    assert_eq!(said(&chosen(json!({ "not_senders": [bob.id] })).await), ["a"]);
    assert_eq!(chosen(json!({ "types": ["m.room.*"], "not_types": ["*"] })).await["chunk"], json!([]));
    assert_eq!(chosen(json!({ "not_rooms": [room] })).await["chunk"], json!([]));
    assert_eq!(chosen(json!({ "rooms": [] })).await["chunk"], json!([]));
    assert_eq!(chosen(json!({ "contains_url": true })).await["chunk"], json!([]));
    let lazy = get(json!({ "lazy_load_members": true }), "&limit=1").await.ok();
    let members: Vec<_> =
        lazy["state"].as_array().expect("a list").iter().map(|event| &event["state_key"]).collect();
    assert_eq!((said(&lazy), members), (vec!["b"], vec![&json!(bob.id)]));
    assert_eq!(lazy["state"][0]["content"]["membership"], "join");
    let patterns: Vec<_> = (0..65).map(|number| format!("{number}*")).collect();
    for filter in ["{", "[1]", r#"{"types":1}"#, r#"{"limit":-1}"#, r#"{"rooms":["x"]}"#] {
        let query = format!("filter={}", encoded(filter));
        messages(&bed, &alice, &room, &query).await.refused(400, "M_INVALID_PARAM");
    }
    get(json!({ "types": patterns }), "").await.refused(400, "M_INVALID_PARAM");
}

/// What was left out behind the last event of a page is a reason to say where that is; nothing left out, nothing to say.
#[tokio::test(start_paused = true)]
async fn a_page_that_a_filter_cut_says_where_it_ends() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let room = bed.room(&alice, json!({})).await;
    bed.say(&alice, &room, "test").await;
    let file = json!({ "msgtype": "m.file", "body": "test.png", "url": "mxc://plop.example/a" });
    bed.send(&alice, &room, "m.room.message", "file", file).await;
    let filter = encoded(r#"{"contains_url":true}"#);
    let page = messages(&bed, &alice, &room, &format!("filter={filter}&dir=b")).await.ok();
    assert_eq!(said(&page), ["test.png"]);
    assert!(page["start"].is_string() && page["end"].is_string(), "{page}");
    let from = encoded(&text(&page["end"]));
    let rest = messages(&bed, &alice, &room, &format!("filter={filter}&dir=b&from={from}")).await.ok();
    assert_eq!((&rest["chunk"], rest.get("end")), (&json!([]), None));
    let all = encoded(r#"{"not_types":["m.absent"]}"#);
    let whole = messages(&bed, &alice, &room, &format!("filter={all}&dir=b&limit=100")).await.ok();
    assert_eq!(whole.get("end"), None);
}

#[tokio::test(start_paused = true)]
async fn a_token_of_sync_is_a_place_in_the_history() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let room = bed.room(&alice, json!({})).await;
    talk(&bed, &alice, &room, &["a", "b"]).await;
    let synced = sync(&bed, &alice).await;
    talk(&bed, &alice, &room, &["c", "d"]).await;
    let next = encoded(&text(&synced["next_batch"]));
    assert_eq!(said(&messages(&bed, &alice, &room, &format!("dir=f&from={next}")).await.ok()), ["c", "d"]);
    assert_eq!(said(&messages(&bed, &alice, &room, &format!("dir=b&from={next}")).await.ok()), ["b", "a"]);
    let timeline = &synced["rooms"]["join"][&room]["timeline"];
    let previous = encoded(&text(&timeline["prev_batch"]));
    let before = messages(&bed, &alice, &room, &format!("dir=b&limit=100&from={previous}")).await.ok();
    let shown = timeline["events"].as_array().expect("events").len();
    let after = messages(&bed, &alice, &room, &format!("dir=f&limit={shown}&from={previous}")).await.ok();
    assert_eq!(after["chunk"][0]["event_id"], timeline["events"][0]["event_id"]);
    assert!(before["chunk"].as_array().expect("a list").len() + shown > 4);
}

/// Row 83 of the hostile input: tokens of others, of other rooms, from the future, and none show a user their own only.
#[tokio::test(start_paused = true)]
async fn row_83_a_token_shows_no_more_than_its_bearer_may_see() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let private = bed.room(&alice, json!({})).await;
    let shared = bed.public_room(&alice, &[]).await;
    bed.set(&alice, &shared, "m.room.history_visibility", json!({ "history_visibility": "joined" })).await;
    talk(&bed, &alice, &private, &["secret"]).await;
    talk(&bed, &alice, &shared, &["before"]).await;
    bed.join(&bob, &shared).await.ok();
    talk(&bed, &alice, &shared, &["after"]).await;
    let page = messages(&bed, &alice, &private, "dir=b&limit=1").await.ok();
    let tokens = [text(&page["start"]), text(&page["end"]), text(&sync(&bed, &alice).await["next_batch"])];
    for token in &tokens {
        for dir in ["b", "f"] {
            let query = format!("dir={dir}&limit=100&from={}", encoded(token));
            let seen = messages(&bed, &bob, &shared, &query).await.ok();
            assert!(!said(&seen).contains(&"before") && !said(&seen).contains(&"secret"), "{seen}");
            let refused = messages(&bed, &bob, &private, &query).await.refused(403, "M_FORBIDDEN");
            let absent = messages(&bed, &bob, "!absent:plop.example", &query).await;
            assert_eq!(absent.refused(403, "M_FORBIDDEN"), refused);
        }
    }
    // Of a server that has come further: as good as now.
    let later = Bed::new().await;
    let [other] = later.users(["alice"]).await;
    for number in 0..50 {
        later.room(&other, json!({ "name": number.to_string() })).await;
        // Create events of one user at one moment are alike, and so are their hashes, which are the ids of rooms.
        later.pass(1).await;
    }
    let future = encoded(&text(&sync(&later, &other).await["next_batch"]));
    let now = messages(&bed, &bob, &shared, &format!("dir=b&limit=1&from={future}")).await.ok();
    assert_eq!(said(&now), ["after"]);
    for token in ["x", "0", "-1", "h1_", "h1_zz", "s2_", "s12_3_4", &"h1_00".repeat(1000)] {
        for query in [format!("dir=b&from={token}"), format!("dir=b&to={token}")] {
            messages(&bed, &bob, &shared, &query).await.refused(400, "M_INVALID_PARAM");
            messages(&bed, &bob, &private, &query).await.refused(403, "M_FORBIDDEN");
        }
        let members = bed.get(&format!("/_matrix/client/v3/rooms/{shared}/members?at={token}"));
        members.by(&bob).await.refused(400, "M_INVALID_PARAM");
    }
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_room_has_no_history() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let room = bed.public_room(&alice, &[&bob]).await;
    bed.say(&bob, &room, "hi").await;
    bed.leave(&alice, &room).await.ok();
    assert_eq!(said(&messages(&bed, &alice, &room, "").await.ok()), ["hi"]);
    bed.ask(&alice, Method::POST, "/rooms/{}/forget", &[&room]).await.ok();
    messages(&bed, &alice, &room, "").await.refused(403, "M_FORBIDDEN");
    bed.get(&format!("/_matrix/client/v3/rooms/{room}/messages?dir=b")).await.refused(401, "M_MISSING_TOKEN");
    messages(&bed, &alice, "x", "").await.refused(400, "M_INVALID_PARAM");
}

#[tokio::test(start_paused = true)]
async fn a_page_between_two_answers_of_sync_comes_with_its_senders() {
    let bed = Bed::new().await;
    let [alice, bob, carol] = bed.users(["alice", "bob", "carol"]).await;
    let room = bed.public_room(&alice, &[&bob, &carol]).await;
    let start = encoded(&text(&sync(&bed, &alice).await["next_batch"]));
    bed.say(&bob, &room, "test").await;
    let before = encoded(&text(&sync(&bed, &alice).await["next_batch"]));
    bed.say(&carol, &room, "test").await;
    let after = encoded(&text(&sync(&bed, &alice).await["next_batch"]));
    let lazy = encoded(r#"{ "lazy_load_members" : true }"#);
    let senders = async |query: String| {
        let page = messages(&bed, &alice, &room, &format!("{query}&filter={lazy}")).await.ok();
        let state = page["state"].as_array().expect("a list").clone();
        let is_member =
            |event: &Value| event["type"] == "m.room.member" && event["content"]["membership"] == "join";
        assert!(state.iter().all(is_member), "{page}");
        let mut keys: Vec<_> = state.iter().map(|event| text(&event["state_key"])).collect();
        keys.sort();
        keys
    };
    assert_eq!(senders(format!("dir=f&from={before}&to={after}")).await, [carol.id.as_str()]);
    assert_eq!(senders(format!("dir=f&from={start}&to={before}")).await, [bob.id.as_str()]);
    let own = bed.room(&alice, json!({})).await;
    let token = encoded(&text(&sync(&bed, &alice).await["next_batch"]));
    bed.say(&alice, &own, "test").await;
    let page = messages(&bed, &alice, &own, &format!("dir=b&from={token}&filter={lazy}")).await.ok();
    let state = page["state"].as_array().expect("a list");
    assert_eq!((state.len(), &state[0]["state_key"]), (1, &json!(alice.id)));
}

/// Between what happens otherwise in a room.
#[tokio::test(start_paused = true)]
async fn pages_of_every_size_have_the_same_events_once() {
    let bed = Bed::new().await;
    let [alice, bob] = bed.users(["alice", "bob"]).await;
    let room = bed.public_room(&alice, &[&bob]).await;
    for number in 0..50 {
        bed.say(&alice, &room, &number.to_string()).await;
        match number % 10 {
            3 => drop(bed.leave(&bob, &room).await.ok()),
            5 => drop(bed.join(&bob, &room).await.ok()),
            7 => drop(bed.set(&alice, &room, "m.room.topic", json!({ "topic": number.to_string() })).await),
            _ => {}
        }
    }
    let all = async |dir: &str, limit: usize| {
        let (mut found, mut from) = (Vec::new(), String::new());
        loop {
            let page = messages(&bed, &alice, &room, &format!("dir={dir}&limit={limit}{from}")).await.ok();
            found.extend(
                page["chunk"].as_array().expect("a list").iter().map(|event| text(&event["event_id"])),
            );
            let Some(end) = page.get("end") else { return found };
            from = format!("&from={}", encoded(&text(end)));
        }
    };
    let forward = all("f", 100).await;
    assert!(forward.len() > 65);
    let mut backward = forward.clone();
    backward.reverse();
    for limit in [1, 3, 7, 25, 100] {
        assert_eq!(all("f", limit).await, forward, "{limit}");
        assert_eq!(all("b", limit).await, backward, "{limit}");
    }
}
