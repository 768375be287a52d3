//! Rooms that were left: everything until the departure, nothing after it, whatever becomes of the membership later.

use std::sync::Arc;

use plop_rooms::ops::create::{CreateRoom, InitialState};
use plop_state::json::Object;
use plop_sync::{StateAt, SyncRequest};
use ruma::{OwnedRoomId, RoomId, RoomVersionId};
use serde_json::{Value, json as value};

use crate::bed::{Bed, Client, id, ids, json, keys, public_room, told, user};

async fn ban(bed: &Bed, room: &RoomId, is_banned: bool) {
    let (alice, target, extra) = (user("alice"), id("bob"), Object::new());
    let outcome = if is_banned {
        bed.rooms.ban(&alice, room, &target, &extra).await
    } else {
        bed.rooms.unban(&alice, room, &target, &extra).await
    };
    outcome.expect("a member event");
}

fn left<'a>(answer: &'a Value, room: &RoomId) -> &'a Value {
    &answer["rooms"]["leave"][room.as_str()]
}

/// What happens in the room after bob has left: what he may not know.
async fn go_on(bed: &Bed, room: &RoomId) {
    bed.join("carol", room).await;
    bed.set("alice", room, "m.room.topic", r#"{"topic":"secret"}"#).await;
    bed.set("alice", room, "org.example.new", r#"{"text":"secret"}"#).await;
    bed.say("alice", room, "secret").await;
}

fn assert_keeps_the_secret(answer: &Value) {
    let text = answer.to_string();
    assert!(!text.contains("secret") && !text.contains("carol"), "{text}");
}

const LIMITS: [&str; 3] = [
    r#"{"room":{"include_leave":true}}"#,
    r#"{"room":{"include_leave":true,"timeline":{"limit":0}}}"#,
    r#"{"room":{"include_leave":true,"state":{"lazy_load_members":true},"timeline":{"limit":1}}}"#,
];

/// In every way of asking, from before the departure, from after it and from nowhere.
async fn in_every_way(bob: &Client<'_>, sinces: &[Option<String>], check: impl Fn(&Value)) {
    for since in sinces {
        for filter in LIMITS {
            for state_at in [StateAt::Start, StateAt::End] {
                for full_state in [false, true] {
                    let mut bob =
                        Client { since: since.clone(), filter: Some(filter.to_owned()), ..bob.clone() };
                    let request = SyncRequest { state_at, full_state, ..SyncRequest::default() };
                    check(&bob.sync_with(request).await);
                }
            }
        }
    }
}

/// Hostile input, row 75.
#[tokio::test(start_paused = true)]
async fn a_ban_after_the_departure_shows_nothing_that_came_between() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    bed.join("bob", &room).await;
    let mut bob = bed.client("bob");
    bob.sync().await;
    let before = bob.since.clone();
    bed.leave("bob", &room).await;
    bob.sync().await;
    let after = bob.since.clone();
    go_on(&bed, &room).await;
    for is_banned in [true, false, true] {
        ban(&bed, &room, is_banned).await;
        in_every_way(&bob, &[before.clone(), after.clone(), None], |answer| {
            assert_keeps_the_secret(answer);
            assert!(left(answer, &room).is_object(), "{answer}");
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_was_not_in_the_room_gets_none_of_its_state() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    bed.join("bob", &room).await;
    bed.leave("bob", &room).await;
    let mut bob = bed.client("bob");
    bob.sync().await;
    go_on(&bed, &room).await;
    for (index, is_banned) in [true, false, true, false].into_iter().enumerate() {
        ban(&bed, &room, is_banned).await;
        let full_state = index > 1;
        let answer = bob.sync_with(SyncRequest { full_state, ..SyncRequest::default() }).await;
        let left = left(&answer, &room);
        assert_eq!(left["state"], value!({"events": []}), "{index}");
        assert_eq!(
            (&left["timeline"]["events"], &left["timeline"]["limited"]),
            (&value!([]), &value!(false))
        );
    }
    assert_eq!(keys(&bob.sync().await), ["next_batch"]);
}

#[tokio::test(start_paused = true)]
async fn what_came_before_the_departure_comes_whatever_came_after_it() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    bed.join("bob", &room).await;
    let mut bob = bed.client("bob");
    bob.sync().await;
    bed.set("alice", &room, "m.room.name", r#"{"name":"before"}"#).await;
    bed.say("alice", &room, "before").await;
    let (alice, target, extra) = (user("alice"), id("bob"), Object::new());
    bed.rooms.kick(&alice, &room, &target, &extra).await.expect("a kick");
    go_on(&bed, &room).await;
    ban(&bed, &room, true).await;
    ban(&bed, &room, false).await;
    let answer = bob.clone().sync().await;
    let timeline = &left(&answer, &room)["timeline"];
    assert_eq!(told(&timeline["events"]), ["m.room.name", "before", "m.room.member"]);
    assert_eq!(timeline["limited"], false);
    assert_keeps_the_secret(&answer);

    bed.rooms.invite(&alice, &room, &target, &extra).await.expect("an invite");
    let answer = bob.clone().sync().await;
    assert_eq!(keys(&answer["rooms"]), ["invite"], "a room is told of once");
    bed.leave("bob", &room).await;
    let answer = bob.sync().await;
    let events = &left(&answer, &room)["timeline"]["events"];
    assert_eq!(told(events), ["m.room.name", "before", "m.room.member"]);
    assert_keeps_the_secret(&answer);
}

/// Everyone may look into such a room, but it is none of those that the user syncs any more.
#[tokio::test(start_paused = true)]
async fn a_world_readable_room_that_was_left_ends_with_the_departure_too() {
    let bed = Bed::new().await;
    let content = json(r#"{"history_visibility":"world_readable"}"#);
    let state =
        InitialState { kind: "m.room.history_visibility".to_owned(), state_key: String::new(), content };
    let request = CreateRoom { initial_state: vec![state], ..public_room(RoomVersionId::V12) };
    let room = bed.rooms.create(&user("alice"), &request).await.expect("a room");
    bed.join("bob", &room).await;
    let mut bob = bed.client("bob");
    bob.sync().await;
    bed.leave("bob", &room).await;
    bed.say("alice", &room, "after").await;
    ban(&bed, &room, true).await;
    let answer = bob.sync().await;
    assert_eq!(told(&left(&answer, &room)["timeline"]["events"]), ["m.room.member"]);
    bed.say("alice", &room, "long after").await;
    ban(&bed, &room, false).await;
    let answer = bob.sync().await;
    assert_eq!(told(&left(&answer, &room)["timeline"]["events"]), ["m.room.member"], "one's own");
    assert_eq!(left(&answer, &room)["state"], value!({"events": []}));
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_room_never_comes_back() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    bed.join("bob", &room).await;
    let mut bob = bed.client("bob");
    bob.sync().await;
    let mut away = bob.clone();
    bed.leave("bob", &room).await;
    bob.sync().await;
    bed.rooms.forget(&user("bob"), &room).await.expect("forgotten");
    for is_banned in [true, false, true, false] {
        ban(&bed, &room, is_banned).await;
        assert_eq!(keys(&bob.sync().await), ["next_batch"]);
    }
    // A device that still shows the room learns that it is gone, once.
    let answer = away.sync().await;
    let timeline = &left(&answer, &room)["timeline"];
    assert_eq!((&timeline["events"], &timeline["limited"]), (&value!([]), &value!(false)));
    assert!(timeline["prev_batch"].is_string(), "matrix-nio asks for it");
    assert_eq!(left(&answer, &room)["state"], value!({"events": []}));
    ban(&bed, &room, true).await;
    assert_eq!(keys(&away.sync().await), ["next_batch"]);
}

/// Says something in the room, and kicks bob at once. What bob is to get.
async fn say_and_kick(bed: Arc<Bed>, room: OwnedRoomId) -> Vec<String> {
    let mut said = Vec::new();
    for number in 0..4 {
        said.push(bed.say("alice", &room, &number.to_string()).await.to_string());
    }
    let (alice, target) = (user("alice"), id("bob"));
    let kick = bed.rooms.kick(&alice, &room, &target, &Object::new()).await.expect("a kick");
    said.push(kick.to_string());
    said
}

/// What bob gets of a room until it is said to be left, syncing all the time.
async fn synced(bob: &mut Client<'_>, room: &RoomId) -> Vec<String> {
    let mut got: Vec<String> = Vec::new();
    for _ in 0..1_000_000 {
        let answer = bob.sync().await;
        for section in ["join", "leave"] {
            let events = &answer["rooms"][section][room.as_str()]["timeline"]["events"];
            got.extend(ids(events).into_iter().map(str::to_owned));
        }
        if left(&answer, room).is_object() {
            return got;
        }
        tokio::task::yield_now().await;
    }
    panic!("nothing says that {room} was left: {got:?}");
}

/// On threads, so that a look meets a departure at any of its steps.
#[test]
fn nothing_is_lost_of_what_came_while_the_user_was_being_kicked() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let bed = Arc::new(Bed::new().await);
        for round in 0..60 {
            let room = bed.room("alice").await;
            bed.join("bob", &room).await;
            let mut bob = bed.client("bob");
            bob.filter = Some(r#"{"room":{"timeline":{"limit":100}}}"#.to_owned());
            bob.sync().await;
            let mut speaking = tokio::task::JoinSet::new();
            speaking.spawn(say_and_kick(Arc::clone(&bed), room.clone()));
            let got = synced(&mut bob, &room).await;
            let said = speaking.join_next().await.expect("a task").expect("no panic");
            assert_eq!(got, said, "round {round}");
        }
    });
}
