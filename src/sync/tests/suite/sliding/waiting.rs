//! Requests that wait.

use std::collections::BTreeSet;
use std::time::Duration;

use plop_base::Exit;
use plop_state::json::Object;

use super::bed::{Slider, rooms};
use crate::bed::{Bed, id, told, user};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn a_message_or_an_invite_ends_the_wait_and_others_rooms_do_not() {
    let bed = Bed::new().await;
    let (room, other) = (bed.room("alice").await, bed.room("bob").await);
    let mut alice = Slider::new(&bed, "alice", 20);
    let before = bed.clock.monotonic();
    alice.wait(MINUTE).await;
    assert_eq!(bed.clock.monotonic(), before, "a new connection is answered at once");
    let talk = async {
        for number in 0..10 {
            bed.clock.sleep(Duration::from_secs(1)).await;
            bed.say("bob", &other, &number.to_string()).await;
        }
        bed.say("alice", &room, "mine").await;
    };
    let (answer, ()) = tokio::join!(alice.wait(MINUTE), talk);
    assert_eq!(bed.clock.monotonic() - before, Duration::from_secs(10));
    assert_eq!(told(&answer["rooms"][room.as_str()]["timeline"]), ["mine"]);
    let invite = async {
        bed.clock.sleep(Duration::from_secs(1)).await;
        bed.rooms.invite(&user("bob"), &other, &id("alice"), &Object::new()).await.expect("an invite");
    };
    let (answer, ()) = tokio::join!(alice.wait(MINUTE), invite);
    assert_eq!(rooms(&answer), BTreeSet::from([other.as_str()]));
    assert_eq!(bed.clock.monotonic() - before, Duration::from_secs(11));
}

#[tokio::test(start_paused = true)]
async fn who_finds_nothing_stays_where_they_are() {
    let bed = Bed::new().await;
    bed.room("alice").await;
    let mut alice = Slider::new(&bed, "alice", 20);
    let first = alice.next().await;
    let before = bed.clock.monotonic();
    let answer = alice.wait(MINUTE).await;
    assert_eq!(bed.clock.monotonic() - before, MINUTE);
    assert_eq!((rooms(&answer), &answer["pos"]), (BTreeSet::new(), &first["pos"]));
    let stop = async {
        bed.clock.sleep(Duration::from_secs(3)).await;
        bed.tasks.shut_down(Exit::Clean);
    };
    let (answer, ()) = tokio::join!(alice.wait(MINUTE), stop);
    assert_eq!((rooms(&answer), &answer["pos"]), (BTreeSet::new(), &first["pos"]));
}

#[tokio::test(start_paused = true)]
async fn an_answer_has_every_write_that_was_acknowledged_before() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    let mut alice = Slider::new(&bed, "alice", 20);
    alice.next().await;
    for number in 0..100 {
        let text = number.to_string();
        bed.say("alice", &room, &text).await;
        assert_eq!(told(&alice.next().await["rooms"][room.as_str()]["timeline"]), [text]);
    }
}

/// A message out of the windows is none of the client's business.
#[tokio::test(start_paused = true)]
async fn what_is_out_of_the_windows_does_not_end_the_wait() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    let mut alice = Slider::new(&bed, "alice", 20);
    alice.list().filters.is_encrypted = Some(true);
    alice.next().await;
    let before = bed.clock.monotonic();
    let talk = async {
        bed.clock.sleep(Duration::from_secs(1)).await;
        bed.say("alice", &room, "plain").await;
    };
    let (answer, ()) = tokio::join!(alice.wait(MINUTE), talk);
    assert_eq!(bed.clock.monotonic() - before, MINUTE);
    assert_eq!(rooms(&answer), BTreeSet::new());
}

/// A client that gave a request up and sent it again, while the server has not noticed.
#[tokio::test(start_paused = true)]
async fn of_one_connection_only_the_newest_request_is_answered() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    let mut alice = Slider::new(&bed, "alice", 20);
    alice.next().await;
    let (mut old, mut new) = (alice.clone(), alice.clone());
    let talk = async {
        bed.clock.sleep(Duration::from_secs(2)).await;
        bed.say("alice", &room, "hello").await;
    };
    let later = async {
        bed.clock.sleep(Duration::from_secs(1)).await;
        new.wait(MINUTE).await
    };
    let (given_up, answer, ()) = tokio::join!(old.wait(MINUTE), later, talk);
    assert_eq!(rooms(&given_up), BTreeSet::new());
    assert_eq!(rooms(&answer), BTreeSet::from([room.as_str()]));
    assert_eq!(rooms(&new.next().await), BTreeSet::new(), "its position is alive");
}
