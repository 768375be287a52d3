//! Counts under the default rules.

use plop_rooms::ops::send::SendEvent;
use plop_rooms::schema::{JoinedSince, LastSent};
use plop_state::json::Object;
use serde_json::json;

use crate::bed::{Bed, id, object, pair, user};

#[tokio::test]
async fn what_others_send_counts_until_it_is_read() {
    let bed = Bed::new(&["alice", "bob"]).await;
    assert_eq!(bed.counts("bob").await, (0, 0), "what came before the join does not count");
    bed.say("alice", "one").await;
    let two = bed.say("alice", "two").await;
    bed.send_event("alice", "m.room.message", json!({"body": "x", "msgtype": "m.notice"})).await;
    bed.send_event("alice", "m.reaction", json!({})).await;
    bed.send_event("alice", "m.room.topic", json!({"topic": "tea"})).await;
    assert_eq!(bed.counts("bob").await, (2, 0));
    assert_eq!(bed.counts("alice").await, (0, 0), "one's own events do not count");
    bed.read_all("bob", &two).await;
    assert_eq!(bed.counts("bob").await, (0, 0));
    bed.say("alice", "three").await;
    assert_eq!(bed.counts("bob").await, (1, 0));
    assert_eq!(bed.restarted().await.counts("bob").await, (1, 0));
}

#[tokio::test]
async fn mentions_and_what_concerns_everyone_are_highlighted() {
    let bed = Bed::new(&["alice", "bob", "carol"]).await;
    bed.mention("alice", &["bob", "alice", "nobody"]).await;
    assert_eq!((bed.counts("bob").await, bed.counts("carol").await), ((1, 1), (1, 0)));
    let whole_room =
        json!({"body": "@room", "msgtype": "m.text", "m.mentions": {"room": true, "user_ids": [id("bob")]}});
    bed.send_event("alice", "m.room.message", whole_room.clone()).await;
    assert_eq!((bed.counts("bob").await, bed.counts("carol").await), ((2, 2), (2, 1)));
    bed.send_event("carol", "m.room.message", whole_room).await;
    assert_eq!(bed.counts("bob").await, (3, 3), "carol may not mention the room, but bob");
    let silent = json!({"m.mentions": {"user_ids": [id("bob")]}, "m.relates_to": {"rel_type": "m.annotation", "event_id": "$x"}});
    bed.send_event("alice", "m.reaction", silent).await;
    assert_eq!(bed.counts("bob").await, (4, 4), "a mention in what notifies nobody else");
    assert_eq!(bed.counts("carol").await, (0, 0), "carol has read up to what she sent");
    bed.send_event("alice", "m.room.tombstone", json!({"body": "gone", "replacement_room": "!x:y"})).await;
    assert_eq!((bed.counts("bob").await, bed.counts("carol").await), ((5, 5), (1, 1)));
}

#[tokio::test]
async fn whoever_sends_has_read_up_to_there() {
    let bed = Bed::new(&["alice", "bob"]).await;
    bed.say("alice", "one").await;
    bed.say("bob", "two").await;
    assert_eq!((bed.counts("alice").await, bed.counts("bob").await), ((1, 0), (0, 0)));
    bed.say("alice", "three").await;
    assert_eq!((bed.counts("alice").await, bed.counts("bob").await), ((0, 0), (1, 0)));
}

#[tokio::test]
async fn a_changed_name_reads_nothing() {
    let bed = Bed::new(&["alice", "bob"]).await;
    bed.say("alice", "one").await;
    let number = bed.rooms.number(&bed.room).await.expect("a read").expect("the room");
    let joined = async || {
        let snapshot = bed.db.snapshot();
        snapshot.get::<JoinedSince>(&(number, id("bob"))).await.expect("a read").expect("a row")
    };
    let before = joined().await;
    let content = object(&json!({"membership": "join", "displayname": "Bob"}));
    bed.rooms.set_member(&user("bob"), &bed.room, &id("bob"), &content, None).await.expect("a name");
    assert_eq!(bed.counts("bob").await, (1, 0));
    assert_eq!(joined().await, before);
    let sent = bed.db.snapshot().get::<LastSent>(&(number, id("bob"), None)).await.expect("a read");
    assert_eq!(sent, None);
}

#[tokio::test]
async fn what_came_while_a_user_was_away_does_not_count() {
    let bed = Bed::new(&["alice", "bob"]).await;
    bed.mention("alice", &["bob"]).await;
    bed.leave("bob").await;
    assert_eq!(bed.counts("bob").await, (0, 0), "who has left is told nothing");
    bed.mention("alice", &["bob"]).await;
    bed.say("alice", "two").await;
    bed.join("bob").await;
    assert_eq!(bed.counts("bob").await, (0, 0));
    bed.mention("alice", &["bob"]).await;
    assert_eq!(bed.counts("bob").await, (1, 1));
    bed.rooms.kick(&user("alice"), &bed.room, &id("bob"), &Object::new()).await.expect("a kick");
    bed.rooms.invite(&user("alice"), &bed.room, &id("bob"), &Object::new()).await.expect("an invite");
    assert_eq!(bed.counts("bob").await, (0, 0), "an invited user reads no events yet");
}

#[tokio::test]
async fn b4_52_what_is_redacted_no_longer_counts() {
    let bed = Bed::new(&["alice", "bob"]).await;
    let one = bed.mention("alice", &["bob"]).await;
    let two = bed.say("alice", "two").await;
    let three = bed.mention("alice", &["bob"]).await;
    assert_eq!(bed.counts("bob").await, (3, 2));
    bed.redact("alice", &one).await;
    assert_eq!(bed.counts("bob").await, (2, 1));
    bed.redact("alice", &two).await;
    assert_eq!(bed.counts("bob").await, (1, 1));
    bed.read_all("bob", &two).await;
    assert_eq!(bed.counts("bob").await, (1, 1), "what was read and redacted is taken off once");
    let bed = bed.restarted().await;
    bed.redact("alice", &three).await;
    assert_eq!(bed.counts("bob").await, (0, 0));
}

/// Of events that are sent and redacted while commits are in flight, no position is known to the redaction.
#[tokio::test]
async fn redactions_in_flight_count_too() {
    let bed = Bed::new(&["alice", "bob"]).await;
    let mut sent = Vec::new();
    for index in 0..20 {
        sent.push(bed.say("alice", &index.to_string()).await);
    }
    let redactions = sent.iter().map(|event| bed.redact("alice", event));
    let mut redactions: Vec<_> = redactions.map(Box::pin).collect();
    let first = redactions.pop().expect("a redaction");
    let more = async {
        for redaction in redactions {
            redaction.await;
        }
    };
    tokio::join!(first, more, async { drop(bed.say("alice", "after").await) });
    assert_eq!(bed.counts("bob").await, (1, 0));
}

/// The updated count must be in the response that has the event (client-server API, "Push Notifications", server behaviour).
#[tokio::test]
async fn a_count_is_exact_at_each_position() {
    let bed = Bed::new(&["alice", "bob"]).await;
    let mut at = Vec::new();
    for index in 0..5 {
        let root =
            if index % 2 == 0 { bed.mention("alice", &["bob"]).await } else { bed.say("alice", "x").await };
        bed.say_in("alice", &root, "in a thread").await;
        at.push(bed.db.published());
    }
    let snapshot = bed.db.snapshot();
    let view = bed.rooms.view_by_id(&bed.room).await.expect("the room");
    let reader = bed.reader(&snapshot, "bob").await;
    for (index, position) in (1_u64..).zip(at) {
        let counts = bed.unread.counts(&snapshot, &reader, &view, position).await.expect("counts");
        assert_eq!(pair(counts), (2 * index, index.div_ceil(2)));
        let parts = bed.unread.counts_by_thread(&snapshot, &reader, &view, position).await.expect("counts");
        assert_eq!((pair(parts.main), parts.threads.len() as u64), ((index, index.div_ceil(2)), index));
    }
}

/// Many in flight at once, also into one thread, whose total each takes over from the one before.
#[tokio::test]
async fn totals_hold_while_commits_are_in_flight() {
    let bed = Bed::new(&["alice", "bob"]).await;
    let root = bed.say("alice", "root").await;
    let mut tasks = tokio::task::JoinSet::new();
    for index in 0..60 {
        let (rooms, room, root) = (bed.rooms.clone(), bed.room.clone(), root.clone());
        let relation = json!({"rel_type": "m.thread", "event_id": root});
        let content = json!({"msgtype": "m.text", "body": index.to_string(), "m.relates_to": relation});
        let event = SendEvent {
            kind: "m.room.message".to_owned(),
            state_key: None,
            content: object(&content),
            transaction: None,
            ts: None,
        };
        tasks.spawn(async move { rooms.send(&user("alice"), &room, &event).await.expect("an event") });
    }
    let sent = tasks.join_all().await;
    assert_eq!(sent.len(), 60);
    let parts = bed.parts("bob").await;
    assert_eq!((pair(parts.main), parts.threads.len()), ((1, 0), 1));
    assert_eq!(parts.threads.get(&root).map(|counts| pair(*counts)), Some((60, 0)));
    assert_eq!(bed.restarted().await.counts("bob").await, (61, 0));
}
