//! Connections: what was sent, to whom, and what may be gone on from.

use std::collections::BTreeSet;
use std::time::Duration;

use plop_base::Actor;
use plop_db::{Direction, KeyRange};
use plop_sync::sliding::request::SlidingError;
use plop_sync::sliding::schema::{ConnectionUses, Connections, SentRooms, SentWishes};
use serde_json::Value;

use super::bed::{Slider, rooms, wishes};
use crate::bed::{Bed, id, told, user};

/// Rows of connections, rooms, wishes, uses.
async fn stored(bed: &Bed) -> [usize; 4] {
    let snapshot = bed.db.snapshot();
    [
        snapshot
            .scan(KeyRange::<Connections>::all(), Direction::Forward, 1_000)
            .await
            .expect("rows")
            .rows
            .len(),
        snapshot
            .scan(KeyRange::<SentRooms>::all(), Direction::Forward, 1_000)
            .await
            .expect("rows")
            .rows
            .len(),
        snapshot
            .scan(KeyRange::<SentWishes>::all(), Direction::Forward, 1_000)
            .await
            .expect("rows")
            .rows
            .len(),
        snapshot
            .scan(KeyRange::<ConnectionUses>::all(), Direction::Forward, 1_000)
            .await
            .expect("rows")
            .rows
            .len(),
    ]
}

fn messages(answer: &Value, room: &ruma::RoomId) -> Vec<String> {
    told(&answer["rooms"][room.as_str()]["timeline"])
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_lost_is_given_again() {
    let bed = Bed::new().await;
    let (room, other) = (bed.room("alice").await, bed.room("alice").await);
    let mut alice = Slider::new(&bed, "alice", 20);
    alice.list().config.timeline_limit = 10;
    alice.next().await;
    bed.say("alice", &room, "one").await;
    let lost = alice.attempt().await.expect("an answer");
    assert_eq!(messages(&lost, &room), ["one"]);
    bed.say("alice", &other, "two").await;
    let lost_pos = lost["pos"].as_str().expect("a position").to_owned();
    let again = alice.next().await;
    assert_eq!(
        (messages(&again, &room), messages(&again, &other)),
        (vec!["one".to_owned()], vec!["two".to_owned()])
    );
    bed.say("alice", &room, "three").await;
    assert_eq!(messages(&alice.next().await, &room), ["three"]);
    let mut other_line = alice.clone();
    other_line.request.pos = Some(lost_pos);
    assert!(other_line.is_unknown().await, "it was given up");
    assert_eq!(rooms(&alice.next().await), BTreeSet::new());
}

#[tokio::test(start_paused = true)]
async fn a_position_is_of_one_connection_of_one_device() {
    let bed = Bed::new().await;
    bed.room("alice").await;
    let mut alice = Slider::new(&bed, "alice", 20);
    alice.next().await;
    let position = alice.request.pos.clone();
    let mut others = [alice.clone(), alice.clone(), alice.clone(), alice.clone(), alice.clone()];
    others[0].actor = Actor::User { user: id("alice"), device: "TABLET".into() };
    others[1].actor = user("bob");
    others[2].request.connection = "other".to_owned();
    others[3].request.pos = Some("p1_AAAA".to_owned());
    others[4].request.pos = Some("17".to_owned());
    for (number, other) in others.iter().enumerate() {
        assert!(other.is_unknown().await, "{number}");
    }
    alice.request.pos = None;
    alice.next().await;
    alice.request.pos = position;
    assert!(alice.is_unknown().await, "the connection began again");
}

/// Element X has one for its room list, one for encryption, and one in its notification process.
#[tokio::test(start_paused = true)]
async fn a_device_has_several_connections() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    let names = ["room-list", "encryption", "notifications"];
    let mut clients: Vec<Slider<'_>> = names
        .iter()
        .map(|name| {
            let mut client = Slider::new(&bed, "alice", 20);
            client.request.connection = (*name).to_owned();
            client
        })
        .collect();
    clients[1].request.lists.clear();
    for client in &mut clients {
        client.next().await;
    }
    for number in 0..3 {
        let text = number.to_string();
        bed.say("alice", &room, &text).await;
        for (index, client) in clients.iter_mut().enumerate() {
            let answer = client.next().await;
            assert_eq!(messages(&answer, &room), if index == 1 { vec![] } else { vec![text.clone()] });
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_ends_no_connection() {
    let bed = Bed::new().await;
    let (room, quiet) = (bed.room("alice").await, bed.room("alice").await);
    let mut alice = Slider::new(&bed, "alice", 20);
    alice.next().await;
    bed.say("alice", &room, "one").await;
    let lost = alice.attempt().await.expect("an answer");
    let bed = bed.restarted().await;
    let mut again = Slider { bed: &bed, ..alice.clone() };
    let answer = again.next().await;
    assert_eq!(messages(&answer, &room), ["one"], "the one before the last");
    let mut lost_line = Slider { bed: &bed, ..alice };
    lost_line.request.pos = lost["pos"].as_str().map(str::to_owned);
    assert!(lost_line.is_unknown().await);
    let bed = bed.restarted().await;
    let mut again = Slider { bed: &bed, ..again };
    assert_eq!(rooms(&again.next().await), BTreeSet::new());
    bed.say("alice", &quiet, "two").await;
    let answer = again.next().await;
    assert_eq!(messages(&answer, &quiet), ["two"]);
    assert_eq!(answer["rooms"][quiet.as_str()]["initial"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn only_rows_of_rooms_in_the_answer_are_written_and_none_by_an_idle_one() {
    let bed = Bed::new().await;
    for _ in 0..5 {
        bed.room("alice").await;
    }
    let room = bed.room("alice").await;
    let mut alice = Slider::new(&bed, "alice", 20);
    alice.next().await;
    assert_eq!(stored(&bed).await, [1, 6, 1, 1]);
    bed.say("alice", &room, "one").await;
    alice.next().await;
    let before = bed.db.published();
    alice.next().await;
    assert_eq!(bed.db.published(), before);
    assert_eq!(stored(&bed).await, [1, 6, 1, 1]);
    // It begins again, with less.
    alice.request.pos = None;
    alice.window(2);
    alice.next().await;
    assert_eq!(stored(&bed).await, [1, 2, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_device_has_a_bounded_number_of_connections() {
    let bed = Bed::new().await;
    bed.room("alice").await;
    let mut first = Slider::new(&bed, "alice", 20);
    first.next().await;
    for number in 0..40 {
        bed.clock.sleep(Duration::from_secs(90_000)).await;
        let mut client = Slider::new(&bed, "alice", 20);
        client.request.connection = number.to_string();
        client.next().await;
    }
    assert_eq!(stored(&bed).await, [16, 16, 16, 16]);
    assert!(first.is_unknown().await);
}

#[tokio::test(start_paused = true)]
async fn a_connection_with_endless_wishes_ends() {
    let bed = Bed::new().await;
    let made = [bed.room("alice").await, bed.room("alice").await];
    let mut alice = Slider::new(&bed, "alice", 20);
    alice.next().await;
    for number in 0..200 {
        alice.list().config.state = wishes(&[("m.room.create", ""), ("org.example", &number.to_string())]);
        bed.say("alice", &made[number % 2], "x").await;
        alice.next().await;
        assert!(stored(&bed).await[2] <= 64);
    }
}

#[tokio::test(start_paused = true)]
async fn connections_that_are_idle_or_of_no_device_are_swept() {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let bed = Bed::new().await;
    bed.register("alice").await;
    bed.room("alice").await;
    let mut idle = Slider::new(&bed, "alice", 20);
    idle.request.connection = "idle".to_owned();
    idle.next().await;
    bed.clock.sleep(20 * DAY).await;
    let mut used = Slider::new(&bed, "alice", 20);
    used.next().await;
    bed.sync.sweep().await.expect("swept");
    assert_eq!(stored(&bed).await, [2, 2, 2, 2]);
    bed.clock.sleep(11 * DAY).await;
    bed.sync.sweep().await.expect("swept");
    assert_eq!(stored(&bed).await, [1, 1, 1, 1]);
    let restarted = bed.restarted().await;
    assert!(Slider { bed: &restarted, ..idle }.is_unknown().await);
    bed.accounts.logout(&user("alice")).await.expect("logged out");
    bed.clock.sleep(DAY).await;
    bed.sync.sweep().await.expect("swept");
    assert_eq!(stored(&bed).await, [0, 0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn the_server_itself_has_nothing_to_sync() {
    let bed = Bed::new().await;
    let server = Slider { actor: Actor::Server, ..Slider::new(&bed, "alice", 20) };
    assert!(matches!(server.attempt().await, Err(SlidingError::NoUser)));
}
