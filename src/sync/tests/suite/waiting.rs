//! Requests that wait.

use std::time::Duration;

use plop_base::Exit;
use plop_state::json::Object;
use plop_sync::SyncRequest;

use crate::bed::{Bed, id, json, keys, told, user};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn an_answer_has_every_write_that_was_acknowledged_before() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    let mut alice = bed.client("alice");
    alice.sync().await;
    for number in 0..200 {
        let text = number.to_string();
        bed.say("alice", &room, &text).await;
        let answer = alice.sync().await;
        assert_eq!(told(&answer["rooms"]["join"][room.as_str()]["timeline"]["events"]), [text]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_does_not_concern_a_user_does_not_end_the_wait() {
    let bed = Bed::new().await;
    let (room, other) = (bed.room("alice").await, bed.room("bob").await);
    let mut alice = bed.client("alice");
    alice.filter = Some(r#"{"room":{"timeline":{"not_senders":["@carol:plop.example"]}}}"#.to_owned());
    bed.join("carol", &room).await;
    alice.sync().await;
    let talk = async {
        for number in 0..20 {
            bed.clock.sleep(Duration::from_secs(1)).await;
            bed.say("bob", &other, &format!("{number}")).await;
            // A notice notifies nobody: there is no count to tell either.
            let notice = json(&format!(r#"{{"msgtype":"m.notice","body":"{number}"}}"#));
            bed.send("carol", &room, "m.room.message", None, notice).await;
        }
        bed.say("alice", &room, "mine").await;
    };
    let before = bed.clock.monotonic();
    let (answer, ()) = tokio::join!(alice.wait(MINUTE), talk);
    assert_eq!(bed.clock.monotonic() - before, Duration::from_secs(20));
    assert_eq!(told(&answer["rooms"]["join"][room.as_str()]["timeline"]["events"]), ["mine"]);
}

#[tokio::test(start_paused = true)]
async fn an_invite_ends_a_wait_and_so_does_account_data() {
    let bed = Bed::new().await;
    bed.register("bob").await;
    let room = bed.room("alice").await;
    let mut bob = bed.client("bob");
    bob.sync().await;
    let invite = async {
        bed.clock.sleep(Duration::from_secs(1)).await;
        let outcome = bed.rooms.invite(&user("alice"), &room, &id("bob"), &Object::new()).await;
        outcome.expect("an invite")
    };
    let before = bed.clock.monotonic();
    let (answer, _) = tokio::join!(bob.wait(MINUTE), invite);
    assert!(answer["rooms"]["invite"].is_object());
    let set = async {
        bed.clock.sleep(Duration::from_secs(1)).await;
        bed.set_account_data("bob", None, "org.example", Object::new()).await;
    };
    let (answer, ()) = tokio::join!(bob.wait(MINUTE), set);
    assert!(answer["account_data"].is_object());
    assert_eq!(bed.clock.monotonic() - before, Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn the_stop_of_the_process_ends_the_wait() {
    let bed = Bed::new().await;
    bed.room("alice").await;
    let mut alice = bed.client("alice");
    alice.sync().await;
    let stop = async {
        bed.clock.sleep(Duration::from_secs(3)).await;
        bed.tasks.shut_down(Exit::Clean);
    };
    let before = bed.clock.monotonic();
    let (answer, ()) = tokio::join!(alice.wait(MINUTE), stop);
    assert_eq!(bed.clock.monotonic() - before, Duration::from_secs(3));
    assert_eq!(keys(&answer), ["next_batch"]);
    let before = bed.clock.monotonic();
    alice.wait(MINUTE).await;
    assert_eq!(bed.clock.monotonic(), before, "and none begins");
}

/// Hostile input, row 150.
#[tokio::test(start_paused = true)]
async fn a_device_has_few_waiting_requests_and_no_wait_is_endless() {
    let bed = Bed::new().await;
    bed.room("alice").await;
    let mut alice = bed.client("alice");
    alice.sync().await;
    let before = bed.clock.monotonic();
    let wait = async || {
        let mut client = alice.clone();
        client.wait(MINUTE).await;
        bed.clock.monotonic() - before
    };
    let mut waits = Vec::new();
    for _ in 0..20 {
        waits.push(wait());
    }
    let ended = futures_util::future::join_all(waits).await;
    let at_once = ended.iter().filter(|waited| waited.is_zero()).count();
    assert_eq!((at_once, ended.len() - at_once), (12, 8));
    assert!(ended.iter().take(12).all(Duration::is_zero), "the oldest end");

    let before = bed.clock.monotonic();
    alice.wait(Duration::MAX).await;
    assert_eq!(bed.clock.monotonic() - before, Duration::from_secs(300));
}

#[tokio::test(start_paused = true)]
async fn a_timeout_of_zero_answers_at_once() {
    let bed = Bed::new().await;
    bed.room("alice").await;
    let mut alice = bed.client("alice");
    let before = bed.clock.monotonic();
    for _ in 0..3 {
        alice.sync_with(SyncRequest::default()).await;
    }
    assert_eq!(bed.clock.monotonic(), before);
}
