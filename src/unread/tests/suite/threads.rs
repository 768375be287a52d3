//! Counts of threads, and what threads mean to clients that do not use them (client-server API, "Threaded read receipts").

use plop_ephemeral::ReceiptKind::Public;
use plop_ephemeral::Thread;
use serde_json::json;

use crate::bed::{Bed, id, pair};

/// The example of the specification: roots A and B, C, E, G, H in the threads of A and B, D, F, I in the main timeline.
#[tokio::test]
async fn a_receipt_is_about_its_part_of_the_room() {
    let cases = [
        (None, (4, 0), 2, 2),
        (Some(("I", Thread::Main)), (0, 0), 2, 2),
        (Some(("D", Thread::Unthreaded)), (1, 0), 1, 2),
        (Some(("A", Thread::Main)), (3, 0), 2, 2),
    ];
    for (receipt, main, of_a, of_b) in cases {
        let bed = Bed::new(&["alice", "bob"]).await;
        let a = bed.say("alice", "A").await;
        let b = bed.say("alice", "B").await;
        bed.say_in("alice", &a, "C").await;
        let d = bed.say("alice", "D").await;
        let e = bed.say_in("alice", &a, "E").await;
        bed.say_in("alice", &b, "G").await;
        let i = bed.say("alice", "I").await;
        bed.say_in("alice", &b, "H").await;
        if let Some((name, thread)) = &receipt {
            let event = [("A", &a), ("D", &d), ("I", &i)].into_iter().find(|(found, _)| found == name);
            bed.read("bob", event.expect("an event").1, Public, thread.clone()).await;
        }
        let parts = bed.parts("bob").await;
        let thread = |root| parts.threads.get(root).map_or(0, |counts| counts.notification_count);
        assert_eq!((pair(parts.main), thread(&a), thread(&b)), (main, of_a, of_b), "{receipt:?}");
        assert_eq!(bed.counts("bob").await, (main.0 + of_a + of_b, 0), "{receipt:?}");
        bed.read("bob", &e, Public, Thread::Root(a.clone())).await;
        let parts = bed.parts("bob").await;
        assert_eq!((pair(parts.main), parts.threads.get(&a)), (main, None), "{receipt:?}");
        assert_eq!(bed.counts("bob").await, (main.0 + of_b, 0), "{receipt:?}");
    }
}

#[tokio::test]
async fn an_event_of_ones_own_reads_the_part_that_it_is_in() {
    let bed = Bed::new(&["alice", "bob"]).await;
    let root = bed.say("alice", "root").await;
    let other = bed.say("alice", "other root").await;
    bed.say_in("alice", &root, "one").await;
    bed.say_in("alice", &other, "two").await;
    bed.say_in("bob", &root, "three").await;
    let parts = bed.parts("bob").await;
    assert_eq!((pair(parts.main), parts.threads.keys().collect::<Vec<_>>()), ((2, 0), vec![&other]));
    assert_eq!(bed.counts("bob").await, (3, 0));
    bed.say("bob", "four").await;
    assert_eq!(bed.counts("bob").await, (1, 0), "the other thread is still unread");
    let last = bed.say("alice", "five").await;
    bed.read_all("bob", &last).await;
    assert_eq!(bed.counts("bob").await, (0, 0));
}

#[tokio::test]
async fn relations_are_followed_to_the_thread() {
    let bed = Bed::new(&["alice", "bob"]).await;
    let root = bed.say("alice", "root").await;
    let reply = bed.say_in("alice", &root, "one").await;
    bed.read_all("bob", &reply).await;
    let mut parent = reply;
    // Three relations are followed: to the thread, and through one or two events between.
    for (hops, in_thread) in [(2, true), (3, true), (4, false)] {
        let relation = json!({"rel_type": "m.reference", "event_id": parent});
        let content = json!({"msgtype": "m.text", "body": "x", "m.relates_to": relation, "m.mentions": {"user_ids": [id("bob")]}});
        parent = bed.send_event("alice", "m.room.message", content).await;
        let parts = bed.parts("bob").await;
        let found = parts.threads.get(&root).map(|counts| pair(*counts));
        let expected = if in_thread { Some((hops - 1, hops - 1)) } else { Some((2, 2)) };
        assert_eq!(found, expected, "{hops} hops");
        assert_eq!(pair(parts.main), if in_thread { (0, 0) } else { (1, 1) });
    }
    let unknown = json!({"rel_type": "m.reference", "event_id": "$unknown"});
    let content = json!({"msgtype": "m.text", "body": "x", "m.relates_to": unknown});
    bed.send_event("alice", "m.room.message", content).await;
    assert_eq!(pair(bed.parts("bob").await.main), (2, 1));
}

#[tokio::test]
async fn b10_143_relations_in_a_circle_are_left_after_some_hops() {
    let bed = Bed::new(&["alice", "bob"]).await;
    // No event can know the id of a later one, but an id may be anything.
    let mut last = bed.say("alice", "start").await;
    for _ in 0..10 {
        let relation = json!({"rel_type": "m.annotation", "event_id": last, "key": "x"});
        last = bed.send_event("alice", "m.reaction", json!({ "m.relates_to": relation })).await;
    }
    assert_eq!(bed.counts("bob").await, (1, 0));
}

#[tokio::test]
async fn a_redacted_event_leaves_its_thread() {
    let bed = Bed::new(&["alice", "bob"]).await;
    let root = bed.say("alice", "root").await;
    let one = bed.say_in("alice", &root, "one").await;
    let two = bed.say_in("alice", &root, "two").await;
    bed.read("bob", &one, Public, Thread::Root(root.clone())).await;
    bed.redact("alice", &one).await;
    let of_thread = async || bed.parts("bob").await.threads.get(&root).map(|counts| pair(*counts));
    assert_eq!(of_thread().await, Some((1, 0)), "it had been read");
    bed.redact("alice", &two).await;
    assert_eq!(of_thread().await, None);
    assert_eq!(bed.counts("bob").await, (1, 0));
}
