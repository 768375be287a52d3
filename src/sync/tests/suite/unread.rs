//! Unread counts in the answer that shows the events.

use plop_ephemeral::{ReceiptKind, Thread};
use serde_json::{Value, json as value};

use crate::bed::{Bed, json};
use crate::ephemeral::read;

const BY_THREAD: &str = r#"{"room":{"timeline":{"unread_thread_notifications":true}}}"#;

fn counts(highlight: u64, notification: u64) -> Value {
    value!({"highlight_count": highlight, "notification_count": notification})
}

#[tokio::test(start_paused = true)]
async fn counts_fit_the_events_and_go_with_a_receipt() {
    let bed = Bed::new().await;
    for name in ["alice", "bob"] {
        bed.register(name).await;
    }
    let room = bed.room("alice").await;
    bed.join("bob", &room).await;
    let mut bob = bed.client("bob");
    let unread = |answer: &Value| answer["rooms"]["join"][room.as_str()]["unread_notifications"].clone();
    assert_eq!(unread(&bob.sync().await), counts(0, 0));
    bed.say("alice", &room, "one").await;
    assert_eq!(unread(&bob.sync().await), counts(0, 1));
    let mention =
        json(r#"{"msgtype":"m.text","body":"bob!","m.mentions":{"user_ids":["@bob:plop.example"]}}"#);
    let last = bed.send("alice", &room, "m.room.message", None, mention).await;
    assert_eq!(unread(&bob.sync().await), counts(1, 2));
    assert_eq!(unread(&bed.client("bob").sync().await), counts(1, 2));
    let other = bed.client("alice").sync().await;
    assert_eq!(unread(&other), counts(0, 0), "one's own messages are read");

    // The other device learns of it without any event.
    read(&bed, "bob", &room, &last, ReceiptKind::Private, Thread::Unthreaded).await;
    assert_eq!(unread(&bob.sync().await), counts(0, 0));
    read(&bed, "alice", &room, &last, ReceiptKind::Public, Thread::Unthreaded).await;
    assert_eq!(unread(&bob.sync().await), value!(null), "what others read changes nothing");
}

#[tokio::test(start_paused = true)]
async fn threads_are_counted_for_themselves_where_that_is_asked_for() {
    let bed = Bed::new().await;
    for name in ["alice", "bob"] {
        bed.register(name).await;
    }
    let room = bed.room("alice").await;
    bed.join("bob", &room).await;
    let root = bed.say("alice", &room, "root").await;
    let relation = format!(r#"{{"rel_type":"m.thread","event_id":"{root}"}}"#);
    for _ in 0..2 {
        let content = json(&format!(r#"{{"msgtype":"m.text","body":"in it","m.relates_to":{relation}}}"#));
        bed.send("alice", &room, "m.room.message", None, content).await;
    }
    let mut bob = bed.client("bob");
    let joined = bob.sync().await["rooms"]["join"][room.as_str()].clone();
    assert_eq!(joined["unread_notifications"], counts(0, 3));
    assert_eq!(joined["unread_thread_notifications"], value!(null));
    bob.since = None;
    bob.filter = Some(BY_THREAD.to_owned());
    let joined = bob.sync().await["rooms"]["join"][room.as_str()].clone();
    assert_eq!(joined["unread_notifications"], counts(0, 1));
    assert_eq!(joined["unread_thread_notifications"], value!({root.as_str(): counts(0, 2)}));
}
