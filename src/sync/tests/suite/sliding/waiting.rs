//! Requests that wait.

use std::collections::BTreeSet;
use std::time::Duration;

use plop_base::Exit;
use plop_ephemeral::{ReceiptKind, Thread};
use plop_state::json::Object;
use plop_sync::sliding::request::ToDeviceRequest;
use ruma::{OwnedEventId, OwnedRoomId};

use super::bed::{Slider, rooms};
use crate::bed::{Bed, id, told, user};
use crate::ephemeral::read;

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

/// Reads of the store while `happen` goes on `times` times, a second apart; a client that waits adds those of its looks.
async fn reads<F: AsyncFn(&Bed, usize)>(
    bed: &Bed,
    times: usize,
    client: Option<&mut Slider<'_>>,
    happen: F,
) -> u64 {
    let read = || bed.db.stats().engine.inline_reads;
    let go_on = async {
        for number in 0..times {
            bed.clock.sleep(Duration::from_secs(1)).await;
            happen(bed, number).await;
        }
    };
    let before = read();
    match client {
        Some(client) => {
            let (answer, ()) = tokio::join!(client.wait(SOON), go_on);
            assert_eq!(rooms(&answer), BTreeSet::new());
        }
        None => {
            tokio::join!(bed.clock.sleep(SOON), go_on);
        }
    }
    read() - before
}

/// Longer than what happens.
const SOON: Duration = Duration::from_secs(29);

/// Alice and twenty others in some rooms, with a message in each.
async fn crowd(count: usize) -> (Bed, Vec<(OwnedRoomId, OwnedEventId)>) {
    let bed = Bed::new().await;
    bed.register("alice").await;
    let mut made = Vec::new();
    for _ in 0..count {
        let room = bed.room("alice").await;
        for number in 0..20 {
            bed.join(&format!("user{number}"), &room).await;
        }
        let event = bed.say("alice", &room, "hello").await;
        made.push((room, event));
    }
    (bed, made)
}

/// What Element X has beside its room list: wakes that are none of its business cost nothing.
#[tokio::test(start_paused = true)]
async fn a_connection_without_windows_reads_nothing_however_often_it_is_woken() {
    let talk = async |bed: &Bed, made: &[(OwnedRoomId, OwnedEventId)], number: usize| {
        for (room, event) in made {
            read(bed, &format!("user{}", number % 20), room, event, ReceiptKind::Public, Thread::Main).await;
            bed.say("user1", room, "x").await;
        }
    };
    let (bed, made) = crowd(4).await;
    let alone = reads(&bed, 25, None, async |bed, number| talk(bed, &made, number).await).await;
    let (bed, made) = crowd(4).await;
    let mut alice = Slider::new(&bed, "alice", 20).with_extensions();
    alice.request.lists.clear();
    alice.request.extensions.encryption = true;
    let first = alice.next().await;
    let since = first["extensions"]["to_device"]["next_batch"].as_str().map(str::to_owned);
    alice.request.extensions.to_device = Some(ToDeviceRequest { since, limit: None });
    let before = reads(&bed, 0, Some(&mut alice), async |_, _| ()).await;
    let woken = reads(&bed, 25, Some(&mut alice), async |bed, number| talk(bed, &made, number).await).await;
    assert!(
        woken <= alone + before + 4,
        "100 messages, 100 receipts: {woken} reads, {alone} without the client"
    );
}

/// One receipt a second, each in another room: a look reads of the room in which it is, not of all since the request began.
#[tokio::test(start_paused = true)]
async fn a_look_goes_on_from_the_one_before() {
    const ROOMS: usize = 20;
    let one = async |bed: &Bed, made: &[(OwnedRoomId, OwnedEventId)], number: usize| {
        let (room, event) = &made[number];
        read(bed, "user1", room, event, ReceiptKind::Public, Thread::Main).await;
    };
    let (bed, made) = crowd(ROOMS).await;
    let alone = reads(&bed, ROOMS, None, async |bed, number| one(bed, &made, number).await).await;
    let (bed, made) = crowd(ROOMS).await;
    let mut alice = Slider::new(&bed, "alice", 30);
    alice.next().await;
    let woken = reads(&bed, ROOMS, Some(&mut alice), async |bed, number| one(bed, &made, number).await).await;
    assert!(woken <= alone + 3 * 20, "{woken} reads, {alone} without the client");
}

/// The end of a wait in which things were passed over: they are not looked at again.
#[tokio::test(start_paused = true)]
async fn a_position_that_would_grow_old_moves_on() {
    let (bed, made) = crowd(2).await;
    let mut alice = Slider::new(&bed, "alice", 20).named("encryption");
    alice.request.lists.clear();
    alice.request.extensions.encryption = true;
    let mut other = Slider::new(&bed, "alice", 20);
    let (first, _) = (alice.next().await, other.next().await);
    let mut retried = alice.clone();
    let talk = async |bed: &Bed, number: usize| {
        bed.say("user1", &made[0].0, &number.to_string()).await;
    };
    reads(&bed, 3, Some(&mut alice), talk).await;
    assert_ne!(alice.request.pos.as_deref(), first["pos"].as_str());
    let written = bed.db.published();
    let moved = alice.wait(MINUTE).await;
    assert_eq!(bed.db.published(), written, "nobody woke it");
    // That answer was lost: the one before it is alive, and goes on likewise.
    reads(&bed, 3, Some(&mut retried), talk).await;
    assert!(alice.is_unknown().await, "{moved}");
    assert_eq!(told(&other.next().await["rooms"][made[0].0.as_str()]["timeline"]), ["2"]);
    bed.leave("alice", &made[0].0).await;
    let bed = bed.restarted().await;
    let mut again = Slider { bed: &bed, ..retried };
    assert_eq!(rooms(&again.next().await), BTreeSet::new());
    assert!(!again.is_unknown().await);
}

/// After a restart nothing is remembered of what was before.
#[tokio::test(start_paused = true)]
async fn after_a_restart_a_position_moves_on_once() {
    let (bed, _) = crowd(2).await;
    let mut alice = Slider::new(&bed, "alice", 20).with_extensions();
    alice.next().await;
    let bed = bed.restarted().await;
    let mut alice = Slider { bed: &bed, ..alice };
    alice.next().await;
    let written = bed.db.published();
    for _ in 0..3 {
        alice.wait(MINUTE).await;
    }
    assert_eq!(bed.db.published(), written);
}
