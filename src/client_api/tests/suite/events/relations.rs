//! `GET /rooms/{roomId}/relations/{eventId}`, and what other endpoints tell of the children of events.

use http::Method;
use serde_json::{Value, json};

use crate::bed::{Bed, User};
use crate::call::Call;
use crate::chat::{encoded, text};

fn relations(bed: &Bed, by: &User, room: &str, rest: &str) -> Call {
    bed.get(&format!("/_matrix/client/v1/rooms/{room}/relations/{rest}")).by(by)
}

fn ids(page: &Value) -> Vec<String> {
    let chunk = page["chunk"].as_array().expect("a list").iter();
    chunk.map(|event| text(&event["event_id"])).collect()
}

async fn relate(
    bed: &Bed,
    by: &User,
    room: &str,
    kind: &str,
    rel_type: &str,
    parent: &str,
    name: &str,
) -> String {
    let relation = json!({ "rel_type": rel_type, "event_id": parent });
    let content = json!({
        "msgtype": "m.text", "body": name, "m.new_content": { "body": name }, "m.relates_to": relation,
    });
    bed.send(by, room, kind, name, content).await
}

#[tokio::test(start_paused = true)]
async fn the_children_of_an_event_are_found_by_type() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let room = bed.room(&alice, json!({})).await;
    let root = bed.say(&alice, &room, "root").await;
    let reply = relate(&bed, &alice, &room, "m.room.message", "m.thread", &root, "reply").await;
    let dummy = relate(&bed, &alice, &room, "m.dummy", "m.thread", &root, "dummy").await;
    let edit = relate(&bed, &alice, &room, "m.room.message", "m.replace", &root, "edit").await;
    let of = encoded(&root);
    let found = async |rest: &str| relations(&bed, &alice, &room, &format!("{of}{rest}")).await.ok();
    let all = found("").await;
    assert_eq!(ids(&all), [edit.clone(), dummy.clone(), reply.clone()]);
    for absent in ["next_batch", "prev_batch", "recursion_depth"] {
        assert_eq!(all.get(absent), None, "{absent}");
    }
    assert_eq!(all["chunk"][2]["room_id"], json!(room));
    assert_eq!(ids(&found("/m.thread").await), [dummy, reply.clone()]);
    assert_eq!(ids(&found("/m.thread/m.room.message").await), [reply]);
    assert_eq!(found("/m.nothing").await, json!({ "chunk": [] }));
    assert_eq!(found("?recurse=true").await["recursion_depth"], 3);
    relations(&bed, &alice, &room, "$nothing").await.refused(404, "M_NOT_FOUND");
    for query in ["limit=0", "limit=-1", "dir=x", "recurse=x", "from=x", "to=x"] {
        relations(&bed, &alice, &room, &format!("{of}?{query}")).await.refused(400, "M_INVALID_PARAM");
    }
}

#[tokio::test(start_paused = true)]
async fn pages_of_children_go_both_ways() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let room = bed.room(&alice, json!({})).await;
    let root = bed.say(&alice, &room, "root").await;
    let mut children = Vec::new();
    for name in ["0", "1", "2", "3", "4"] {
        children.push(relate(&bed, &alice, &room, "m.room.message", "m.thread", &root, name).await);
    }
    let synced = bed.get("/_matrix/client/v3/sync").by(&alice).await.ok();
    let now = encoded(&text(&synced["next_batch"]));
    for name in ["5", "6"] {
        children.push(relate(&bed, &alice, &room, "m.room.message", "m.thread", &root, name).await);
    }
    let of = encoded(&root);
    let page = async |query: &str| relations(&bed, &alice, &room, &format!("{of}?{query}")).await.ok();
    let first = page("limit=3").await;
    assert_eq!(ids(&first), [children[6].clone(), children[5].clone(), children[4].clone()]);
    let next = text(&first["next_batch"]);
    let second = page(&format!("limit=3&from={}", encoded(&next))).await;
    assert_eq!(ids(&second), [children[3].clone(), children[2].clone(), children[1].clone()]);
    assert_eq!(second["prev_batch"], json!(next));
    let forward = page("limit=3&dir=f").await;
    assert_eq!(ids(&forward), children[..3]);
    let rest = page(&format!("limit=9&dir=f&from={}", encoded(&text(&forward["next_batch"])))).await;
    assert_eq!(ids(&rest), children[3..]);
    // A token of /sync is a place among them.
    assert_eq!(ids(&page(&format!("dir=f&from={now}")).await), children[5..]);
    let until = page(&format!("dir=f&limit=3&to={now}")).await;
    assert_eq!(ids(&until), children[..3]);
    let from = encoded(&text(&until["next_batch"]));
    assert_eq!(ids(&page(&format!("dir=f&limit=3&to={now}&from={from}")).await), children[3..5]);
}

/// Each way to read an event tells of its children; /sync only where it leaves events out.
#[tokio::test(start_paused = true)]
async fn aggregations_come_with_the_event() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let room = bed.room(&alice, json!({})).await;
    let root = bed.say(&alice, &room, "root").await;
    let edit = relate(&bed, &alice, &room, "m.room.message", "m.replace", &root, "edit").await;
    let of = encoded(&root);
    let has = |event: &Value| event["unsigned"]["m.relations"]["m.replace"]["event_id"] == json!(edit);
    let get =
        async |rest: &str| bed.get(&format!("/_matrix/client/v3/rooms/{room}/{rest}")).by(&alice).await.ok();
    assert!(has(&get(&format!("event/{of}")).await));
    assert!(has(&get(&format!("context/{of}")).await["event"]));
    assert!(has(&get("messages?dir=b&limit=2").await["chunk"][1]));
    let limited = encoded(r#"{"room":{"timeline":{"limit":2}}}"#);
    for (filter, is_told) in [(limited.as_str(), true), ("", false)] {
        let filter = if filter.is_empty() { String::new() } else { format!("?filter={filter}") };
        let synced = bed.get(&format!("/_matrix/client/v3/sync{filter}")).by(&alice).await.ok();
        let timeline = &synced["rooms"]["join"][&room]["timeline"];
        let events = timeline["events"].as_array().expect("events");
        let event = events.iter().find(|event| event["event_id"] == json!(root)).expect("the event");
        assert_eq!((timeline["limited"] == true, has(event)), (is_told, is_told), "{timeline}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_children_of_ignored_users_are_left_out() {
    let bed = Bed::new().await;
    let [alice, bob, carol] = bed.users(["alice", "bob", "carol"]).await;
    let room = bed.public_room(&alice, &[&bob, &carol]).await;
    let root = bed.say(&alice, &room, "root").await;
    let ours = relate(&bed, &carol, &room, "m.room.message", "m.thread", &root, "ours").await;
    let reference = relate(&bed, &bob, &room, "m.room.message", "m.reference", &root, "reference").await;
    let theirs = relate(&bed, &bob, &room, "m.room.message", "m.thread", &root, "theirs").await;
    let other = bed.say(&bob, &room, "other").await;
    relate(&bed, &carol, &room, "m.room.message", "m.thread", &other, "reply").await;
    let ignored = json!({ "ignored_users": { (bob.id.as_str()): {} } });
    let path = "/user/{}/account_data/m.ignored_user_list";
    bed.ask(&alice, Method::PUT, path, &[alice.id.as_str()]).json(&ignored).await.ok();
    let of = encoded(&root);
    let told = async |user: &User| {
        let event = bed.get(&format!("/_matrix/client/v3/rooms/{room}/event/{of}")).by(user).await.ok();
        event["unsigned"]["m.relations"].clone()
    };
    let (to_alice, to_carol) = (told(&alice).await, told(&carol).await);
    assert_eq!(to_alice.get("m.reference"), None);
    assert_eq!(to_carol["m.reference"]["chunk"], json!([{ "event_id": reference }]));
    let thread = |told: &Value| {
        (told["m.thread"]["count"].clone(), text(&told["m.thread"]["latest_event"]["event_id"]))
    };
    assert_eq!((thread(&to_alice), thread(&to_carol)), ((json!(1), ours.clone()), (json!(2), theirs)));
    assert_eq!(ids(&relations(&bed, &alice, &room, &of).await.ok()), [ours]);
    let threads = bed.get(&format!("/_matrix/client/v1/rooms/{room}/threads")).by(&alice).await.ok();
    assert_eq!(
        threads["chunk"][0]["content"],
        json!({}),
        "the root of an ignored user is redacted: {threads}"
    );
    assert_eq!(ids(&threads), [other, root]);
}

/// Hostile input, row 76: who has left is told of no child that was sent since, and a stranger of nothing.
#[tokio::test(start_paused = true)]
async fn row_76_children_are_seen_as_events_are() {
    let bed = Bed::new().await;
    let [alice, bob, carol] = bed.users(["alice", "bob", "carol"]).await;
    let room = bed.public_room(&alice, &[&bob]).await;
    let root = bed.say(&alice, &room, "root").await;
    let before = relate(&bed, &alice, &room, "m.room.message", "m.thread", &root, "before").await;
    let edit = relate(&bed, &alice, &room, "m.room.message", "m.replace", &root, "edit").await;
    let refers = relate(&bed, &alice, &room, "m.room.message", "m.reference", &root, "refers").await;
    bed.leave(&bob, &room).await.ok();
    bed.pass(1).await;
    for (rel_type, name) in [("m.thread", "a"), ("m.replace", "b"), ("m.reference", "c")] {
        relate(&bed, &alice, &room, "m.room.message", rel_type, &root, name).await;
    }
    let of = encoded(&root);
    let event = bed.get(&format!("/_matrix/client/v3/rooms/{room}/event/{of}")).by(&bob).await.ok();
    let told = &event["unsigned"]["m.relations"];
    assert_eq!(told["m.replace"]["event_id"], json!(edit));
    assert_eq!(told["m.reference"]["chunk"], json!([{ "event_id": refers }]));
    assert_eq!(
        (&told["m.thread"]["count"], &told["m.thread"]["latest_event"]["event_id"]),
        (&json!(1), &json!(before))
    );
    assert_eq!(ids(&relations(&bed, &bob, &room, &of).await.ok()), [refers, edit, before]);
    let threads = format!("/_matrix/client/v1/rooms/{room}/threads");
    assert_eq!(ids(&bed.get(&threads).by(&bob).await.ok()), std::slice::from_ref(&root));
    relations(&bed, &carol, &room, &of).await.refused(404, "M_NOT_FOUND");
    bed.get(&threads).by(&carol).await.refused(403, "M_FORBIDDEN");
    bed.get("/_matrix/client/v1/rooms/!no:plop.example/threads").by(&carol).await.refused(403, "M_FORBIDDEN");
    bed.get(&format!("{threads}?from=x")).by(&bob).await.refused(400, "M_INVALID_PARAM");
    bed.get(&format!("{threads}?include=some")).by(&bob).await.refused(400, "M_INVALID_PARAM");
    bed.get(&format!("{threads}?limit=0")).by(&bob).await.refused(400, "M_INVALID_PARAM");
}

/// Client-server API, "Validation of `m.thread` relationships".
#[tokio::test(start_paused = true)]
async fn no_thread_begins_at_a_relation() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let room = bed.room(&alice, json!({})).await;
    let root = bed.say(&alice, &room, "root").await;
    let reply = relate(&bed, &alice, &room, "m.room.message", "m.thread", &root, "reply").await;
    let content = json!({ "body": "x", "m.relates_to": { "rel_type": "m.thread", "event_id": reply } });
    let send = bed.ask(&alice, Method::PUT, "/rooms/{}/send/m.room.message/t", &[&room]).json(&content);
    bed.without_effect(send).await.refused(400, "M_UNKNOWN");
}

/// MSC3874.
#[tokio::test(start_paused = true)]
async fn messages_are_filtered_by_relation() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let room = bed.room(&alice, json!({})).await;
    let from = encoded(&text(&bed.get("/_matrix/client/v3/sync").by(&alice).await.ok()["next_batch"]));
    let root = bed.say(&alice, &room, "root").await;
    let reply = relate(&bed, &alice, &room, "m.room.message", "m.thread", &root, "reply").await;
    let refers = relate(&bed, &alice, &room, "m.room.message", "m.reference", &root, "refers").await;
    let kept = async |filter: Value| {
        let filter = encoded(&filter.to_string());
        let path = format!("/_matrix/client/v3/rooms/{room}/messages?dir=f&from={from}&filter={filter}");
        ids(&bed.get(&path).by(&alice).await.ok())
    };
    let (of, not_of) = ("org.matrix.msc3874.rel_types", "org.matrix.msc3874.not_rel_types");
    assert_eq!(kept(json!({ of: ["m.thread"] })).await, std::slice::from_ref(&reply));
    assert_eq!(kept(json!({ of: ["m.reference"] })).await, std::slice::from_ref(&refers));
    assert_eq!(kept(json!({ not_of: ["m.reference"] })).await, [root.clone(), reply.clone()]);
    assert_eq!(kept(json!({ of: ["m.thread", "m.reference"] })).await, [reply.clone(), refers.clone()]);
    assert_eq!(kept(json!({ not_of: ["m.thread"], "limit": 9 })).await, [root.clone(), refers.clone()]);
    assert_eq!(kept(json!({ not_of: ["m.thread", "m.reference"] })).await, [root]);
    assert!(kept(json!({ of: ["m.thread"], not_of: ["m.thread"] })).await.is_empty());
    let lazy = json!({ of: ["m.thread"], "lazy_load_members": true, "contains_url": false });
    assert_eq!(kept(lazy).await, [reply]);
}

#[tokio::test(start_paused = true)]
async fn threads_are_listed_by_their_latest_event() {
    let bed = Bed::new().await;
    let [alice] = bed.users(["alice"]).await;
    let room = bed.room(&alice, json!({ "preset": "public_chat" })).await;
    let (one, two) = (bed.say(&alice, &room, "one").await, bed.say(&alice, &room, "two").await);
    let reply = async |root: &str, name: &str| {
        relate(&bed, &alice, &room, "m.room.message", "m.thread", root, name).await
    };
    let threads = async || {
        let path = format!("/_matrix/client/v1/rooms/{room}/threads");
        let page = bed.get(&path).by(&alice).await.ok();
        let chunk = page["chunk"].as_array().expect("a list").iter();
        let latest = |event: &Value| {
            let latest = &event["unsigned"]["m.relations"]["m.thread"]["latest_event"]["event_id"];
            (text(&event["event_id"]), text(latest))
        };
        chunk.map(latest).collect::<Vec<_>>()
    };
    let (in_one, in_two) = (reply(&one, "a").await, reply(&two, "b").await);
    assert_eq!(threads().await, [(two.clone(), in_two.clone()), (one.clone(), in_one)]);
    let again = reply(&one, "c").await;
    assert_eq!(threads().await, [(one, again), (two, in_two)]);
}
