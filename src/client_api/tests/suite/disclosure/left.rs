//! What is left of events that were redacted, whose senders asked for erasure, or whose senders the reader ignores: looked for in each way to read.

use http::Method;
use serde_json::{Value, json};

use crate::bed::{Bed, User};
use crate::chat::{encoded, text};

/// A room in which somebody has said what is to be looked for.
struct Talk {
    bed: Bed,
    room: String,
    /// A message of somebody else's, with children that are looked for.
    root: String,
    /// All that is looked for: each of these says `secret`.
    said: Vec<String>,
}

const WORD: &str = "secret";

impl Talk {
    /// `by` says all of it, with a mention of `whom`.
    async fn of(bed: Bed, starter: &User, by: &User, whom: &User, room: String) -> Self {
        let root = bed.say(starter, &room, "root").await;
        let mention = json!({ "user_ids": [whom.id] });
        let mut said = Vec::new();
        for (name, relates_to) in [
            ("message", Value::Null),
            ("reply", json!({ "rel_type": "m.thread", "event_id": root })),
            ("reference", json!({ "rel_type": "m.reference", "event_id": root })),
        ] {
            let mut content =
                json!({ "msgtype": "m.text", "body": format!("{WORD} {name}"), "m.mentions": mention });
            if relates_to.is_object() {
                content["m.relates_to"] = relates_to;
            }
            said.push(bed.send(by, &room, "m.room.message", name, content).await);
        }
        let words = json!({ "msgtype": "m.text", "body": format!("{WORD} edit") });
        let mut content = words.clone();
        content["m.new_content"] = words;
        content["m.relates_to"] = json!({ "rel_type": "m.replace", "event_id": said[1] });
        said.push(bed.send(by, &room, "m.room.message", "edit", content).await);
        Self { bed, room, root, said }
    }

    /// The ways in which a user is told of it.
    async fn ways_of(&self, by: &User) -> Vec<String> {
        let (room, root) = (encoded(&self.room), encoded(&self.root));
        let mut paths = vec![
            format!("v3/rooms/{room}/messages?dir=b&limit=100"),
            format!("v3/rooms/{room}/messages?dir=f&limit=100"),
            format!("v3/rooms/{room}/event/{root}"),
            format!("v3/rooms/{room}/context/{root}?limit=100"),
            format!("v1/rooms/{room}/relations/{root}?recurse=true"),
            format!("v1/rooms/{room}/threads"),
            "v3/sync".to_owned(),
            format!("v3/sync?filter={}", encoded(r#"{"room":{"timeline":{"limit":4}}}"#)),
            "v3/notifications".to_owned(),
        ];
        for event in &self.said {
            let event = encoded(event);
            paths.push(format!("v3/rooms/{room}/event/{event}"));
            paths.push(format!("v3/rooms/{room}/context/{event}?limit=100"));
            paths.push(format!("v1/rooms/{room}/relations/{event}"));
        }
        let mut answers = Vec::new();
        for path in paths {
            let answer = self.bed.get(&format!("/_matrix/client/{path}")).by(by).await;
            answers.push((path, answer.body));
        }
        let criteria = json!({ "search_term": WORD, "event_context": {}, "include_state": true });
        let state = json!([["*", "*"]]);
        let list = json!({ "ranges": [[0, 9]], "timeline_limit": 100, "required_state": state });
        let accepted = json!({ "timeline_limit": 100, "required_state": { "include": [{}] } });
        for (path, body) in [
            ("v3/search", json!({ "search_categories": { "room_events": criteria } })),
            ("unstable/org.matrix.simplified_msc3575/sync", json!({ "lists": { "all": list } })),
            ("v4/sync", json!({ "conn_id": "a", "lists": { "all": accepted } })),
        ] {
            let call = self.bed.post(&format!("/_matrix/client/{path}")).by(by).json(&body);
            answers.push((path.to_owned(), call.await.ok()));
        }
        answers.retain(|(_, answer)| answer.to_string().contains(WORD));
        let names = self.said.iter().zip(["message", "reply", "reference", "edit"]);
        let named = |path: String| {
            let path = path.replace(&room, "{room}").replace(&root, "{root}");
            names.clone().fold(path, |path, (id, name)| path.replace(&*encoded(id), name))
        };
        answers.into_iter().map(|(path, _)| named(path)).collect()
    }
}

/// Rows 52 and 84 of the hostile input: in no way, and for nobody.
#[tokio::test(start_paused = true)]
async fn row_52_what_was_redacted_is_told_nowhere() {
    let bed = Bed::new().await;
    let [alice, bob, carol] = bed.users(["alice", "bob", "carol"]).await;
    let room = bed.public_room(&alice, &[&bob]).await;
    let mut talk = Talk::of(bed, &alice, &bob, &alice, room).await;
    let Talk { bed, room, said, .. } = &mut talk;
    bed.set(&alice, room, "m.room.topic", json!({ "topic": "so far" })).await;
    said.push(bed.set(&alice, room, "m.room.topic", json!({ "topic": "secret topic" })).await);
    bed.set(&alice, room, "m.room.topic", json!({ "topic": "now" })).await;
    for user in [&alice, &bob] {
        assert!(talk.ways_of(user).await.len() > 15, "it is there to be found");
    }
    for (number, event) in talk.said.iter().enumerate() {
        let redact = ["/rooms/{}/redact/{}/", &number.to_string()].concat();
        let redact = talk.bed.ask(&alice, Method::PUT, &redact, &[&talk.room, event]);
        redact.json(&json!({ "reason": "why" })).await.ok();
    }
    talk.bed.join(&carol, &talk.room).await.ok();
    for user in [&alice, &bob, &carol] {
        assert_eq!(talk.ways_of(user).await, Vec::<String>::new(), "{}", user.id);
    }
    let restarted = talk.bed.restarted().await;
    let talk = Talk { bed: restarted, ..talk };
    assert_eq!(talk.ways_of(&alice).await, Vec::<String>::new());
}

/// Client-server API, `POST /account/deactivate`, `erase`: "users who have not already seen them" get nothing of it.
#[tokio::test(start_paused = true)]
async fn what_is_erased_is_told_to_those_who_were_there_only() {
    let bed = Bed::new().await;
    let [alice, bob, carol, dave] = bed.users(["alice", "bob", "carol", "dave"]).await;
    let room = bed.public_room(&alice, &[&bob, &dave]).await;
    let talk = Talk::of(bed, &alice, &dave, &bob, room).await;
    plop_bed::deactivate(&talk.bed.api.accounts, &dave.actor(), true).await.expect("deactivated");
    let before = talk.ways_of(&bob).await;
    assert!(before.len() > 15, "{before:?}");
    talk.bed.join(&carol, &talk.room).await.ok();
    assert_eq!(talk.ways_of(&carol).await, Vec::<String>::new());
}

/// Client-server API, "Ignoring Users": events of the ignored are not sent to clients. What a client looks up by itself is its own affair.
#[tokio::test(start_paused = true)]
async fn row_84_what_the_ignored_say_is_sent_to_nobody_who_ignores_them() {
    let bed = Bed::new().await;
    let [alice, bob, carol] = bed.users(["alice", "bob", "carol"]).await;
    let room = bed.public_room(&alice, &[&bob, &carol]).await;
    let talk = Talk::of(bed, &alice, &bob, &carol, room).await;
    let ignored = json!({ "ignored_users": { (bob.id.as_str()): {} } });
    let list = "/user/{}/account_data/m.ignored_user_list";
    talk.bed.ask(&carol, Method::PUT, list, &[carol.id.as_str()]).json(&ignored).await.ok();
    let looked_up =
        |way: &String| way.contains("/messages") || way.contains("/event/") || way.contains("/context/");
    let sent: Vec<String> = talk.ways_of(&carol).await.into_iter().filter(|way| !looked_up(way)).collect();
    assert_eq!(sent, Vec::<String>::new());
    let root = talk.bed.ask(&carol, Method::GET, "/rooms/{}/event/{}", &[&talk.room, &talk.root]).await.ok();
    assert_eq!(root["unsigned"].get("m.relations"), None, "{root}");
    assert_eq!(text(&root["content"]["body"]), "root");
}
