//! What events are to others: children, aggregations, threads.

mod threads;

use plop_db::{Direction, KeyRange};
use plop_rooms::MAX_RELATION_DEPTH;
use plop_rooms::ops::refusal::Refusal;
use plop_rooms::ops::send::SendEvent;
use plop_rooms::reader::client_event::Detail;
use plop_rooms::reader::history::PageRequest;
use plop_rooms::reader::relations::RelationsRequest;
use plop_rooms::reader::threads::IncludeThreads;
use plop_rooms::schema::{Edits, IndirectRelations, Related, Relations, ThreadsByLatest};
use plop_state::pdu::ClientFormat;
use ruma::{EventId, OwnedEventId, OwnedRoomId, RoomVersionId};
use serde_json::{Value, json};

use crate::suite::bed::{Bed, json as object, redaction, user};

struct Scene {
    bed: Bed,
    room: OwnedRoomId,
}

impl Scene {
    /// A room of alice's, with bob.
    async fn new() -> Self {
        let bed = Bed::new().await;
        let room = bed.room(RoomVersionId::V12, Some(r#"{"join_rule":"public"}"#)).await;
        bed.rooms.join(&user("bob"), &room, &object("{}")).await.expect("a join");
        Self { bed, room }
    }

    async fn restarted(self) -> Self {
        Self { bed: self.bed.restarted().await, room: self.room }
    }

    async fn try_to_send(&self, name: &str, kind: &str, content: Value) -> Result<OwnedEventId, Refusal> {
        let event = SendEvent {
            kind: kind.to_owned(),
            state_key: None,
            content: object(&content.to_string()),
            transaction: None,
            ts: None,
        };
        self.bed.rooms.send(&user(name), &self.room, &event).await
    }

    async fn send(&self, name: &str, content: Value) -> OwnedEventId {
        self.try_to_send(name, "m.room.message", content).await.expect("an event")
    }

    async fn say(&self, name: &str) -> OwnedEventId {
        self.send(name, json!({ "msgtype": "m.text", "body": "x" })).await
    }

    async fn relate(&self, name: &str, rel_type: &str, parent: &EventId) -> OwnedEventId {
        let relation = json!({ "rel_type": rel_type, "event_id": parent });
        self.send(name, json!({ "msgtype": "m.text", "body": "x", "m.relates_to": relation })).await
    }

    async fn edit(&self, name: &str, original: &EventId) -> OwnedEventId {
        let relation = json!({ "rel_type": "m.replace", "event_id": original });
        let content = json!({ "msgtype": "m.text", "body": "* y", "m.new_content": { "body": "y" }, "m.relates_to": relation });
        self.send(name, content).await
    }

    async fn redact(&self, event: &EventId) {
        let redaction = redaction(None, event.as_str());
        self.bed.rooms.redact(&user("alice"), &self.room, event, &redaction).await.expect("a redaction");
    }

    /// `m.relations` of an event, for a user.
    async fn bundle(&self, name: &str, event: &EventId) -> Value {
        let actor = user(name);
        let mut reader = self.bed.rooms.reader(&actor, &self.room).await.expect("a reader");
        let event = reader.event(event).await.expect("the event");
        let texts =
            reader.client_events(&[event], ClientFormat::Full, Detail::Timeline).await.expect("texts");
        let event: Value = serde_json::from_str(&texts.concat()).expect("JSON");
        event["unsigned"]["m.relations"].clone()
    }

    /// All children of an event, by pages of this size, and the next pages' number.
    async fn children(&self, name: &str, parent: &EventId, asked: Asked<'_>) -> Vec<OwnedEventId> {
        let actor = user(name);
        let mut reader = self.bed.rooms.reader(&actor, &self.room).await.expect("a reader");
        let (mut found, mut from) = (Vec::new(), None);
        for _ in 0..1_000 {
            let page = PageRequest { from, to: None, direction: asked.direction, limit: asked.limit };
            let Asked { rel_type, kind, recurse, .. } = asked;
            let request = RelationsRequest { parent, rel_type, kind, recurse, page };
            let page = reader.relations(&request).await.expect("a page");
            found.extend(page.events.iter().map(|event| event.pdu.event_id_owned().clone()));
            match page.next {
                Some(next) => from = Some(next),
                None => return found,
            }
        }
        panic!("pages without end");
    }

    async fn threads(&self, name: &str, include: IncludeThreads, limit: u64) -> Vec<(Value, Value)> {
        let actor = user(name);
        let mut reader = self.bed.rooms.reader(&actor, &self.room).await.expect("a reader");
        let (mut found, mut from) = (Vec::new(), None);
        loop {
            let page = reader.threads(include, from, limit).await.expect("a page");
            for root in &page.roots {
                let root: Value = serde_json::from_str(root).expect("JSON");
                let latest = &root["unsigned"]["m.relations"]["m.thread"]["latest_event"]["event_id"];
                found.push((root["event_id"].clone(), latest.clone()));
            }
            match page.next {
                Some(next) => from = Some(next),
                None => return found,
            }
        }
    }

    /// Rows of all keyspaces about relations.
    async fn rows(&self) -> usize {
        let snapshot = self.bed.rooms.db().snapshot();
        let mut rows = 0;
        rows += snapshot
            .scan(KeyRange::<Relations>::all(), Direction::Forward, 9_999)
            .await
            .expect("a read")
            .rows
            .len();
        rows += snapshot
            .scan(KeyRange::<IndirectRelations>::all(), Direction::Forward, 9_999)
            .await
            .expect("a read")
            .rows
            .len();
        rows += snapshot
            .scan(KeyRange::<Edits>::all(), Direction::Forward, 9_999)
            .await
            .expect("a read")
            .rows
            .len();
        rows += snapshot
            .scan(KeyRange::<ThreadsByLatest>::all(), Direction::Forward, 9_999)
            .await
            .expect("a read")
            .rows
            .len();
        rows
    }
}

#[derive(Clone, Copy)]
struct Asked<'a> {
    rel_type: Option<&'a str>,
    kind: Option<&'a str>,
    recurse: bool,
    direction: Direction,
    limit: u64,
}

const ALL: Asked<'_> =
    Asked { rel_type: None, kind: None, recurse: false, direction: Direction::Backward, limit: 3 };

#[tokio::test(start_paused = true)]
async fn the_most_recent_valid_edit_is_told() {
    let scene = Scene::new().await;
    let original = scene.say("alice").await;
    assert_eq!(scene.bundle("bob", &original).await, Value::Null);
    let first = scene.edit("alice", &original).await;
    let told = scene.bundle("bob", &original).await;
    assert_eq!(told["m.replace"]["event_id"], json!(first));
    assert_eq!(told["m.replace"]["content"]["m.new_content"]["body"], "y");
    assert_eq!(told["m.replace"]["room_id"], json!(scene.room));
    // None of these is an edit of it: another's, without new content, of another type, of an edit.
    scene.edit("bob", &original).await;
    scene.relate("alice", "m.replace", &original).await;
    let relation = json!({ "rel_type": "m.replace", "event_id": original });
    let other = json!({ "m.new_content": {}, "m.relates_to": relation });
    scene.try_to_send("alice", "m.other", other).await.expect("an event");
    scene.edit("alice", &first).await;
    assert_eq!(scene.bundle("bob", &original).await["m.replace"]["event_id"], json!(first));
    assert_eq!(scene.bundle("bob", &first).await, Value::Null, "an edit is not edited");
    scene.bed.clock.sleep(std::time::Duration::from_secs(1)).await;
    let second = scene.edit("alice", &original).await;
    let scene = scene.restarted().await;
    assert_eq!(scene.bundle("bob", &original).await["m.replace"]["event_id"], json!(second));
    scene.redact(&second).await;
    assert_eq!(
        scene.bundle("bob", &original).await["m.replace"]["event_id"],
        json!(first),
        "what it was before"
    );
    let third = scene.edit("alice", &original).await;
    assert_eq!(scene.bundle("bob", &original).await["m.replace"]["event_id"], json!(third));
    scene.redact(&original).await;
    assert_eq!(scene.bundle("bob", &original).await, Value::Null);
}

#[tokio::test(start_paused = true)]
async fn references_are_listed() {
    let scene = Scene::new().await;
    let event = scene.say("alice").await;
    let one = scene.relate("bob", "m.reference", &event).await;
    let two = scene.relate("alice", "m.reference", &event).await;
    let listed = |ids: &[&OwnedEventId]| {
        let chunk: Vec<Value> = ids.iter().map(|id| json!({ "event_id": id })).collect();
        json!({ "m.reference": { "chunk": chunk } })
    };
    assert_eq!(scene.bundle("bob", &event).await, listed(&[&one, &two]));
    scene.redact(&one).await;
    assert_eq!(scene.bundle("bob", &event).await, listed(&[&two]));
    scene.relate("bob", "m.annotation", &event).await;
    assert_eq!(scene.bundle("bob", &event).await, listed(&[&two]), "reactions are not aggregated");
    scene.redact(&event).await;
    assert_eq!(
        scene.bundle("bob", &event).await,
        listed(&[&two]),
        "the relations of what is redacted remain"
    );
}

#[tokio::test(start_paused = true)]
async fn children_come_in_pages_of_either_direction() {
    let scene = Scene::new().await;
    let parent = scene.say("alice").await;
    let mut children = Vec::new();
    for index in 0..10 {
        let rel_type = if index % 2 == 0 { "m.thread" } else { "m.reference" };
        children.push(scene.relate("bob", rel_type, &parent).await);
        scene.say("alice").await;
    }
    let evens: Vec<_> = children.iter().step_by(2).cloned().collect();
    let forward = Asked { direction: Direction::Forward, ..ALL };
    assert_eq!(scene.children("alice", &parent, forward).await, children);
    assert_eq!(
        scene.children("alice", &parent, Asked { rel_type: Some("m.thread"), ..forward }).await,
        evens
    );
    let none = Asked { rel_type: Some("m.thread"), kind: Some("m.other"), ..forward };
    assert!(scene.children("alice", &parent, none).await.is_empty());
    let messages = Asked { rel_type: Some("m.thread"), kind: Some("m.room.message"), ..forward };
    assert_eq!(scene.children("alice", &parent, messages).await, evens);
    children.reverse();
    assert_eq!(scene.children("alice", &parent, ALL).await, children);
    scene.redact(&children[3]).await;
    children.remove(3);
    assert_eq!(scene.children("alice", &parent, ALL).await, children);
    let before = scene.rows().await;
    for child in &children {
        scene.redact(child).await;
    }
    assert!(before > 0);
    assert_eq!(scene.rows().await, 0, "a redacted child leaves no rows");
    let snapshot = scene.bed.rooms.db().snapshot();
    let left = snapshot.scan(KeyRange::<Related>::all(), Direction::Forward, 9).await.expect("a read");
    assert!(left.rows.is_empty(), "{left:?}");
}

#[tokio::test(start_paused = true)]
async fn recursion_follows_children_of_children() {
    let scene = Scene::new().await;
    let root = scene.say("alice").await;
    let reply = scene.relate("bob", "m.thread", &root).await;
    let reaction = scene.relate("alice", "m.annotation", &reply).await;
    let deeper = scene.relate("alice", "m.annotation", &reaction).await;
    let too_deep = scene.relate("alice", "m.annotation", &deeper).await;
    let recurse = Asked { recurse: true, direction: Direction::Forward, limit: 1, ..ALL };
    assert_eq!(MAX_RELATION_DEPTH, 3);
    let all = [&reply, &reaction, &deeper].map(Clone::clone);
    assert_eq!(scene.children("bob", &root, recurse).await, all);
    assert_eq!(scene.children("bob", &reply, recurse).await, [reaction.clone(), deeper.clone(), too_deep]);
    // "Events … whose only relation to the original given event is through a non-matching intermediate event, will not be included."
    let threads = Asked { rel_type: Some("m.thread"), ..recurse };
    assert_eq!(scene.children("bob", &root, threads).await, std::slice::from_ref(&reply));
    let annotations = Asked { rel_type: Some("m.annotation"), ..recurse };
    assert!(scene.children("bob", &root, annotations).await.is_empty());
    assert_eq!(scene.children("bob", &reply, annotations).await.len(), 3);
    scene.redact(&reaction).await;
    assert_eq!(scene.children("bob", &root, recurse).await, [reply]);
}

/// Hostile input, row 143: what a client would make of a thread that begins inside of another one, nobody needs to know.
#[tokio::test(start_paused = true)]
async fn row_143_a_thread_begins_at_no_relation() {
    let scene = Scene::new().await;
    let root = scene.say("alice").await;
    let reply = scene.relate("bob", "m.thread", &root).await;
    let relation = json!({ "rel_type": "m.thread", "event_id": reply });
    let content = json!({ "msgtype": "m.text", "body": "x", "m.relates_to": relation });
    let refused = scene.try_to_send("bob", "m.room.message", content).await;
    assert!(matches!(refused, Err(Refusal::NoThreadRoot)), "{refused:?}");
    assert_eq!(scene.threads("bob", IncludeThreads::All, 9).await.len(), 1);
}

/// Hostile input, row 143: relations to events of another room, to what is not here, to what can be no event.
#[tokio::test(start_paused = true)]
async fn row_143_relations_lead_to_events_of_the_same_room_only() {
    let scene = Scene::new().await;
    let event = scene.say("alice").await;
    let other = scene.bed.room(RoomVersionId::V11, None).await;
    let elsewhere = Scene { bed: scene.bed.restarted().await, room: other };
    for rel_type in ["m.thread", "m.replace", "m.reference", "m.annotation"] {
        elsewhere.relate("alice", rel_type, &event).await;
    }
    assert!(elsewhere.threads("alice", IncludeThreads::All, 9).await.is_empty());
    let scene = Scene { bed: elsewhere.bed, room: scene.room };
    assert_eq!(scene.bundle("alice", &event).await, Value::Null);
    assert!(scene.children("alice", &event, ALL).await.is_empty());
    let long = scene.relate("alice", &"x".repeat(256), &event).await;
    assert!(scene.children("alice", &event, ALL).await.is_empty(), "{long}");
}

/// Hostile input, row 143: a fan of children costs a page no more than what it shows.
#[tokio::test(start_paused = true)]
async fn row_143_many_children_do_not_make_a_page_larger() {
    let scene = Scene::new().await;
    let event = scene.say("alice").await;
    for _ in 0..150 {
        scene.relate("bob", "m.reference", &event).await;
        scene.edit("bob", &event).await;
    }
    let told = scene.bundle("alice", &event).await;
    assert_eq!(told["m.reference"]["chunk"].as_array().map(Vec::len), Some(100));
    assert_eq!(told.get("m.replace"), None);
    assert_eq!(scene.children("alice", &event, Asked { limit: 1_000_000, ..ALL }).await.len(), 300);
}
