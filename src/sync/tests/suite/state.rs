//! The state that goes with a timeline, at either end of it.

use plop_db::Batch;
use plop_rooms::schema::Heads;
use plop_state::json::Object;
use plop_sync::{AnswerFault, StateAt, SyncRequest};
use serde_json::{Value, json as value};

use crate::bed::{Bed, keys, told, user};

fn at(state_at: StateAt) -> SyncRequest {
    SyncRequest { state_at, ..SyncRequest::default() }
}

/// A timeline of two events.
const SHORT: &str = r#"{"room":{"timeline":{"limit":2}}}"#;

#[tokio::test(start_paused = true)]
async fn changes_in_a_gap_are_told_by_the_state() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    let mut alice = bed.client("alice");
    alice.filter = Some(SHORT.to_owned());
    alice.sync().await;
    bed.set("alice", &room, "m.room.topic", r#"{"topic":"one"}"#).await;
    bed.set("alice", &room, "m.room.topic", r#"{"topic":"two"}"#).await;
    bed.set("alice", &room, "m.room.name", r#"{"name":"n"}"#).await;
    bed.say("alice", &room, "hello").await;
    let mut other = alice.clone();

    let answer = alice.sync().await;
    let joined = &answer["rooms"]["join"][room.as_str()];
    assert_eq!(told(&joined["timeline"]["events"]), ["m.room.name", "hello"]);
    assert_eq!(joined["timeline"]["limited"], true);
    assert_eq!(told(&joined["state"]["events"]), ["m.room.topic"], "before the timeline");
    assert_eq!(joined["state"]["events"][0]["content"]["topic"], "two");

    let answer = other.sync_with(at(StateAt::End)).await;
    let joined = &answer["rooms"]["join"][room.as_str()];
    assert_eq!(joined["state"], value!(null));
    let mut after = told(&joined["state_after"]["events"]);
    after.sort();
    assert_eq!(after, ["m.room.name", "m.room.topic"], "those of the timeline too");
}

#[tokio::test(start_paused = true)]
async fn state_after_is_there_even_if_it_is_empty() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    for (state_at, key) in
        [(StateAt::End, "state_after"), (StateAt::EndUnstable, "org.matrix.msc4222.state_after")]
    {
        let mut alice = bed.client("alice");
        let first = alice.sync_with(at(state_at)).await;
        let joined = &first["rooms"]["join"][room.as_str()];
        let state = told(&joined[key]["events"]);
        assert!(state.contains(&"m.room.create".to_owned()), "{state:?}");
        bed.say("alice", &room, "hello").await;
        let answer = alice.sync_with(at(state_at)).await;
        let joined = &answer["rooms"]["join"][room.as_str()];
        assert_eq!(joined[key]["events"], value!([]));
        assert_eq!(keys(joined), [key, "timeline", "unread_notifications"]);
    }
}

#[tokio::test(start_paused = true)]
async fn full_state_is_given_at_once_for_every_room() {
    let bed = Bed::new().await;
    let (room, quiet) = (bed.room("alice").await, bed.room("alice").await);
    let mut alice = bed.client("alice");
    alice.sync().await;
    bed.say("alice", &room, "hello").await;
    let timeout = std::time::Duration::from_secs(30);
    let request = SyncRequest { full_state: true, timeout, ..SyncRequest::default() };
    let before = bed.clock.monotonic();
    let answer = alice.sync_with(request.clone()).await;
    for (room, messages) in [(&room, vec!["hello"]), (&quiet, vec![])] {
        let joined = &answer["rooms"]["join"][room.as_str()];
        assert_eq!(told(&joined["timeline"]["events"]), messages, "no more than what is new");
        assert!(told(&joined["state"]["events"]).contains(&"m.room.create".to_owned()));
    }
    let again = alice.sync_with(request).await;
    assert_eq!(again["rooms"]["join"].as_object().map(|rooms| rooms.len()), Some(2));
    assert_eq!(bed.clock.monotonic(), before, "it does not wait");
}

/// Applies what an answer says as a client does.
fn apply(state: &mut std::collections::BTreeMap<(String, String), Value>, events: &Value) {
    for event in events.as_array().cloned().unwrap_or_default() {
        if let Some(key) = event["state_key"].as_str() {
            let kind = event["type"].as_str().expect("a type").to_owned();
            state.insert((kind, key.to_owned()), event["content"].clone());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn both_ways_lead_a_client_to_the_same_state() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    let (mut one, mut two) = (bed.client("alice"), bed.client("alice"));
    one.filter = Some(SHORT.to_owned());
    two.filter.clone_from(&one.filter);
    let (mut by_start, mut by_end) = Default::default();
    for round in 0..6 {
        let answer = one.sync().await;
        let joined = &answer["rooms"]["join"][room.as_str()];
        apply(&mut by_start, &joined["state"]["events"]);
        apply(&mut by_start, &joined["timeline"]["events"]);
        let answer = two.sync_with(at(StateAt::End)).await;
        apply(&mut by_end, &answer["rooms"]["join"][room.as_str()]["state_after"]["events"]);
        assert_eq!(by_start, by_end, "round {round}");
        for number in 0..round {
            bed.set("alice", &room, "m.room.topic", &format!(r#"{{"topic":"{round}.{number}"}}"#)).await;
            bed.join(&format!("u{round}x{number}"), &room).await;
        }
    }
    assert!(by_start.len() > 15);
}

#[tokio::test(start_paused = true)]
async fn a_large_state_is_written_in_parts() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    let mut alice = bed.client("alice");
    alice.sync().await;
    for number in 0..450 {
        bed.join(&format!("u{number}"), &room).await;
    }
    // All of it, and what changed.
    for (since, members) in [(None, 449), (alice.since.clone(), 448)] {
        let request = SyncRequest { since, filter: Some(SHORT.to_owned()), ..SyncRequest::default() };
        let mut answer = bed.sync.sync(&user("alice"), &request).await.expect("an answer");
        let mut parts = Vec::new();
        while let Some(part) = answer.part().await.expect("a part") {
            parts.push(part);
        }
        assert!(parts.len() > 1 && parts.iter().all(|part| part.len() < 256 << 10));
        let answer: Value = serde_json::from_str(&parts.concat()).expect("JSON");
        let joined = &answer["rooms"]["join"][room.as_str()];
        assert_eq!(told(&joined["timeline"]["events"]), ["m.room.member"; 2]);
        let state = told(&joined["state"]["events"]);
        assert_eq!(state.iter().filter(|kind| *kind == "m.room.member").count(), members);
    }
}

#[tokio::test(start_paused = true)]
async fn a_room_that_goes_while_its_state_is_told_ends_the_answer() {
    let bed = Bed::new().await;
    let room = bed.room("alice").await;
    for number in 0..450 {
        bed.join(&format!("u{number}"), &room).await;
    }
    let mut answer = bed.sync.sync(&user("alice"), &SyncRequest::default()).await.expect("an answer");
    assert!(answer.part().await.is_ok_and(|part| part.is_some()) && !answer.is_over());
    // Without its head a room is not here, once it has to be read again.
    let number = bed.rooms.number(&room).await.expect("a read").expect("a room");
    let mut gone = Batch::durable();
    gone.delete::<Heads>(&number);
    bed.ground.db.commit(gone).await.expect("a commit");
    assert!(bed.rooms.join(&user("late"), &room, &Object::new()).await.is_err());
    let fault = loop {
        match answer.part().await {
            Ok(part) => assert!(part.is_some(), "the answer has an end"),
            Err(fault) => break fault,
        }
    };
    assert!(matches!(fault, AnswerFault::RoomGone(gone) if gone == number), "{fault}");
}
