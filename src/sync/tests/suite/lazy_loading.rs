//! Member events that come only when they are needed (client-server API, "Lazy-loading room members").

use std::time::Duration;

use plop_db::Batch;
use plop_rooms::schema::Events;
use plop_sync::{StateAt, SyncRequest};
use ruma::{OwnedRoomId, RoomId};
use serde_json::{Value, json as value};

use crate::bed::{Bed, Client, id, json};

const LAZY: &str = r#"{"room":{"state":{"lazy_load_members":true},"timeline":{"limit":3}}}"#;

/// A room of alice's with a name, in which five others are.
async fn room(bed: &Bed) -> OwnedRoomId {
    let room = bed.room("alice").await;
    bed.set("alice", &room, "m.room.name", r#"{"name":"Six"}"#).await;
    for name in ["b", "c", "d", "e", "f"] {
        bed.join(name, &room).await;
    }
    for number in 0..5 {
        bed.say("b", &room, &format!("{number}")).await;
    }
    room
}

fn lazy<'b>(bed: &'b Bed, name: &str) -> Client<'b> {
    Client { filter: Some(LAZY.to_owned()), ..bed.client(name) }
}

/// Whose member events are in the state.
fn members(answer: &Value, room: &RoomId) -> Vec<String> {
    let joined = &answer["rooms"]["join"][room.as_str()];
    let state =
        ["state", "state_after"].into_iter().find_map(|key| joined[key]["events"].as_array().cloned());
    let members = state.unwrap_or_default().into_iter().filter(|event| event["type"] == "m.room.member");
    let name = |event: Value| {
        let user = event["state_key"].as_str().expect("a user");
        user[1..].split(':').next().expect("a name").to_owned()
    };
    let mut names: Vec<String> = members.map(name).collect();
    names.sort();
    names
}

#[tokio::test(start_paused = true)]
async fn the_first_answer_has_those_who_speak_and_oneself() {
    let bed = Bed::new().await;
    let room = room(&bed).await;
    assert_eq!(members(&lazy(&bed, "f").sync().await, &room), ["b", "f"]);
    let mut all = bed.client("f");
    all.filter = Some(r#"{"room":{"timeline":{"limit":3}}}"#.to_owned());
    assert_eq!(members(&all.sync().await, &room).len(), 6, "without lazy loading all");
    let request = SyncRequest { state_at: StateAt::End, ..SyncRequest::default() };
    assert_eq!(members(&lazy(&bed, "f").sync_with(request).await, &room), ["b", "f"]);
}

#[tokio::test(start_paused = true)]
async fn heroes_come_with_their_member_events() {
    let bed = Bed::new().await;
    let room = room(&bed).await;
    bed.set("alice", &room, "m.room.name", "{}").await;
    assert_eq!(members(&lazy(&bed, "f").sync().await, &room), ["alice", "b", "c", "d", "e", "f"]);
}

#[tokio::test(start_paused = true)]
async fn who_speaks_is_told_once() {
    let bed = Bed::new().await;
    let room = room(&bed).await;
    let mut f = lazy(&bed, "f");
    f.sync().await;
    bed.say("b", &room, "again").await;
    bed.say("c", &room, "first").await;
    let before = f.clone();
    assert_eq!(members(&f.sync().await, &room), ["c"]);
    // That answer was lost: the client comes back with the token before it.
    f = before;
    assert_eq!(members(&f.sync().await, &room), ["c"]);
    bed.say("c", &room, "second").await;
    assert_eq!(members(&f.sync().await, &room), [""; 0]);

    let filter = value!({"room": {"state": {"lazy_load_members": true, "include_redundant_members": true}}});
    f.filter = Some(filter.to_string());
    bed.say("c", &room, "third").await;
    assert_eq!(members(&f.sync().await, &room), ["c"]);
}

#[tokio::test(start_paused = true)]
async fn a_new_profile_is_told_again() {
    let bed = Bed::new().await;
    let room = room(&bed).await;
    let mut f = lazy(&bed, "f");
    f.sync().await;
    let content = json(r#"{"membership":"join","displayname":"Bee"}"#);
    bed.send("b", &room, "m.room.member", Some(id("b").as_str()), content).await;
    for number in 0..3 {
        bed.say("c", &room, &format!("{number}")).await;
    }
    // In the gap before the timeline: told whether somebody speaks or not.
    assert_eq!(members(&f.sync().await, &room), ["b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn another_device_is_told_for_itself() {
    let bed = Bed::new().await;
    let room = room(&bed).await;
    let (mut f, mut tablet) = (lazy(&bed, "f"), lazy(&bed, "f"));
    tablet.actor = plop_base::Actor::User { user: id("f"), device: "TABLET".into() };
    f.sync().await;
    tablet.sync().await;
    bed.say("c", &room, "first").await;
    assert_eq!(members(&f.sync().await, &room), ["c"]);
    assert_eq!(members(&tablet.sync().await, &room), ["c"]);
}

/// The client's connection broke, and the server has not noticed: two requests with one token wait.
#[tokio::test(start_paused = true)]
async fn an_answer_that_nobody_gets_counts_for_nothing() {
    let bed = Bed::new().await;
    let room = room(&bed).await;
    let mut f = lazy(&bed, "f");
    f.sync().await;
    let (mut dead, mut also_dead) = (f.clone(), f.clone());
    let minute = Duration::from_secs(60);
    let speak = async {
        bed.clock.sleep(Duration::from_secs(1)).await;
        bed.say("c", &room, "first").await;
    };
    let (lost, got, also_lost, ()) =
        tokio::join!(dead.wait(minute), f.wait(minute), also_dead.wait(minute), speak);
    for answer in [&lost, &got, &also_lost] {
        assert_eq!(members(answer, &room), ["c"]);
    }
    bed.say("c", &room, "second").await;
    assert_eq!(members(&f.sync().await, &room), [""; 0], "it has come");
    // The client did get the other one, it seems: then nothing is known of what it has.
    assert_eq!(members(&dead.sync().await, &room), ["c"]);
}

/// Takes the member events of these users away from under the server: whoever reads one of them fails.
async fn lose_member_events(bed: &Bed, room: &RoomId, names: &[&str]) {
    let view = bed.rooms.view_by_id(room).await.expect("a room");
    let mut batch = Batch::durable();
    for name in names {
        let event = view.member_event(&id(name)).expect("a member");
        batch.delete::<Events>(&(view.number, event));
    }
    bed.db.commit(batch).await.expect("a commit");
}

#[tokio::test(start_paused = true)]
async fn no_member_event_is_read_that_is_not_given() {
    let bed = Bed::new().await;
    let room = room(&bed).await;
    lose_member_events(&bed, &room, &["c", "d", "e"]).await;
    // With nothing in memory.
    let bed = bed.restarted().await;
    assert_eq!(members(&lazy(&bed, "f").sync().await, &room), ["b", "f"], "a first answer");
    let mut newcomer = lazy(&bed, "newcomer");
    newcomer.sync().await;
    bed.join("newcomer", &room).await;
    bed.say("b", &room, "welcome").await;
    let answer = newcomer.sync().await;
    assert_eq!(members(&answer, &room), ["b"], "a room that was joined; the timeline has one's own");
}
