//! States that another server tells: what is missing of them is never taken for nothing.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use plop_rooms::ingest::Verdict;
use plop_rooms::remote::RawPdu;
use plop_rooms::schema::Outcome;
use plop_state::Pdu;
use ruma::{EventId, OwnedEventId, OwnedUserId, RoomVersionId};
use tokio::sync::Semaphore;

use crate::suite::bed::redaction;
use crate::suite::sim_network::key;
use crate::suite::sim_room::{actor, picture, timeline, view};
use crate::suite::sim_scene::{Scene, Told, third_name};

/// More events than are asked for one by one.
const MANY: usize = 60;

/// Joins of users of a third server that nobody has told us of.
async fn joins(scene: &Scene, count: usize) -> Vec<Pdu> {
    let third = scene.third();
    let mut joins = Vec::new();
    for number in 0..count {
        let user = OwnedUserId::try_from(format!("@user{number}:third.example")).expect("a user id");
        let join = r#"{"membership":"join"}"#;
        joins.push(third.next(&user, "m.room.member", Some(user.as_str()), join).await);
    }
    joins
}

/// An event whose previous one is gone, with those joins in the state before it.
async fn after_a_gap(scene: &Scene, joins: &[Pdu]) -> Pdu {
    let gone: OwnedEventId = EventId::parse(format!("${:a>43}", "gone")).expect("an event id");
    let event = scene.on(&[gone], &scene.evil, "m.room.message", None, r#"{"body":"x"}"#).await;
    scene.tells_state(&event, &joins.iter().collect::<Vec<_>>()).await;
    event
}

/// The other server shows these as the state before an event.
fn shows_whole(scene: &Scene, event: &Pdu, state: Vec<RawPdu>) {
    let whole = Told { state, ..Told::default() };
    scene.puppet.whole.lock().expect("not poisoned").insert(event.event_id_owned().clone(), whole);
}

fn raw(events: &[Pdu]) -> Vec<RawPdu> {
    events.iter().map(|event| event.canonical().into()).collect()
}

async fn retry(scene: &Scene) -> usize {
    scene.server.ingest.retry_waiting(scene.evil_server(), &scene.room).await.expect("the store works")
}

/// Members of the third server in the current state.
async fn members(scene: &Scene) -> usize {
    let state = picture(&scene.server, &scene.room).await.state;
    state.keys().filter(|key| key.contains("third.example")).count()
}

#[tokio::test(start_paused = true)]
async fn a_state_whose_keys_are_missing_is_waited_for() {
    for count in [1, MANY] {
        let scene = Scene::new(RoomVersionId::V11).await;
        let joins = joins(&scene, count).await;
        let event = after_a_gap(&scene, &joins).await;
        shows_whole(&scene, &event, raw(&joins));
        joins.iter().for_each(|join| scene.shows(join));
        assert_eq!(scene.receive(&event).await, Verdict::Waiting, "{count} without keys");
        assert_eq!((retry(&scene).await, scene.outcome(&event).await), (0, None));
        scene.knows_third();
        assert_eq!(retry(&scene).await, 1);
        assert_eq!(scene.outcome(&event).await, Some(Outcome::Accepted));
        assert_eq!(members(&scene).await, count);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_gone_holds_up_a_room_for_a_day() {
    let scene = Scene::new(RoomVersionId::V11).await;
    let joins = joins(&scene, MANY).await;
    let event = after_a_gap(&scene, &joins).await;
    shows_whole(&scene, &event, raw(&joins));
    assert_eq!(scene.receive(&event).await, Verdict::Waiting);
    let clock = &scene.server.rooms.core().clock;
    clock.sleep(Duration::from_secs(13 * 60 * 60)).await;
    assert_eq!(scene.receive(&event).await, Verdict::Waiting, "handed over again");
    clock.sleep(Duration::from_secs(13 * 60 * 60)).await;
    assert_eq!(retry(&scene).await, 1);
    assert_eq!(scene.outcome(&event).await, Some(Outcome::Accepted));
    assert_eq!(members(&scene).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_state_that_is_not_shown_whole_is_waited_for() {
    let scene = Scene::new(RoomVersionId::V11).await;
    scene.knows_third();
    let joins = joins(&scene, MANY).await;
    let event = after_a_gap(&scene, &joins).await;
    shows_whole(&scene, &event, raw(&joins[1..]));
    assert_eq!(scene.receive(&event).await, Verdict::Waiting, "one is not shown");
    scene.shows(&joins[0]);
    assert_eq!(retry(&scene).await, 1);
    assert_eq!(members(&scene).await, MANY);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_event_is_left_out_of_a_state_at_once() {
    let scene = Scene::new(RoomVersionId::V11).await;
    scene.knows_third();
    let mut joins = joins(&scene, MANY).await;
    let bad = Scene { key: key(&third_name(), 78), ..scene.third() };
    let user = OwnedUserId::try_from("@bad:third.example").expect("a user id");
    let wrong = bad.next(&user, "m.room.member", Some(user.as_str()), r#"{"membership":"join"}"#).await;
    joins.push(wrong);
    let event = after_a_gap(&scene, &joins).await;
    shows_whole(&scene, &event, raw(&joins));
    assert_eq!(scene.receive(&event).await, Verdict::Accepted);
    assert_eq!(members(&scene).await, MANY);
}

/// It was known as a part of a state and redacted as such before it came itself.
#[tokio::test(start_paused = true)]
async fn b3_51_an_event_that_was_redacted_before_it_has_a_place_stays_redacted() {
    let scene = Scene::new(RoomVersionId::V11).await;
    let gone: OwnedEventId = EventId::parse(format!("${:a>43}", "before")).expect("an event id");
    let user = OwnedUserId::try_from("@other:evil.example").expect("a user id");
    let content = r#"{"displayname":"secret","membership":"join"}"#;
    let join = scene.on(&[gone], &user, "m.room.member", Some(user.as_str()), content).await;
    scene.shows(&join);
    let event = after_a_gap(&scene, std::slice::from_ref(&join)).await;
    assert_eq!(scene.receive(&event).await, Verdict::Accepted);
    assert_eq!(scene.outcome(&join).await, Some(Outcome::Outlier));
    let admin = actor(&scene.admin());
    let redaction = redaction(None, "r");
    let redacted = scene.server.rooms.redact(&admin, &scene.room, join.event_id(), &redaction).await;
    redacted.expect("a redaction");
    scene.tells_state(&join, &[]).await;
    assert_eq!(scene.receive(&join).await, Verdict::Accepted);
    let number = view(&scene.server, &scene.room).await.number;
    let reading = scene.server.rooms.writer(number).await.expect("the guard").reading();
    let placed = reading.event_by_id(join.event_id()).await.expect("a read").expect("the event");
    assert!(placed.facts.redacted_by.is_some(), "nobody would know that it was redacted");
    assert_eq!(placed.pdu.content_text(), r#"{"membership":"join"}"#);
    let shown = timeline(&scene.server, &scene.room).await;
    assert!(shown.iter().all(|event| !event.pdu.content_text().contains("secret")));
}

#[tokio::test(start_paused = true)]
async fn invented_key_ids_do_not_hide_the_keys_of_a_server() {
    let scene = Scene::new(RoomVersionId::V11).await;
    scene.knows_third();
    let joins = joins(&scene, MANY).await;
    let event = after_a_gap(&scene, &joins).await;
    let invented: String = (0..20).map(|number| format!(r#""ed25519:{number:03}":"c2ln","#)).collect();
    let signature = r#""third.example":{"#;
    let user = OwnedUserId::try_from("@junk:third.example").expect("a user id");
    let join = r#"{"membership":"join"}"#;
    let junk = scene.third().next(&user, "m.room.member", Some(user.as_str()), join).await;
    let junk = junk.canonical().replace(signature, &format!("{signature}{invented}"));
    assert!(junk.contains("ed25519:019"));
    let mut state: Vec<RawPdu> = vec![junk.into()];
    state.extend(raw(&joins));
    shows_whole(&scene, &event, state);
    assert_eq!(scene.receive(&event).await, Verdict::Accepted);
    assert_eq!(members(&scene).await, MANY);
}

#[tokio::test(start_paused = true)]
async fn of_several_who_hand_over_an_event_one_asks_for_the_state_before_it() {
    let scene = Scene::new(RoomVersionId::V11).await;
    let event = after_a_gap(&scene, &[]).await;
    let (one, other) = tokio::join!(scene.receive(&event), scene.receive(&event));
    let known = Verdict::Known(Outcome::Accepted);
    assert!([one, other].iter().all(|verdict| *verdict == Verdict::Accepted || *verdict == known));
    assert_eq!(scene.puppet.asked.load(Ordering::Relaxed), 1);
}

/// Each may be as large as a room.
#[tokio::test(start_paused = true)]
async fn few_states_are_taken_in_at_once() {
    const AT_ONCE: usize = 16;
    const MORE: usize = AT_ONCE + 4;
    let scene = Scene::new(RoomVersionId::V11).await;
    let mut events = Vec::new();
    for number in 0..MORE {
        let gone: OwnedEventId = EventId::parse(format!("${number:a>43}")).expect("an event id");
        let event = scene.on(&[gone], &scene.evil, "m.room.message", None, r#"{"body":"x"}"#).await;
        scene.tells_state(&event, &[]).await;
        events.push(event);
    }
    let held = Arc::new(Semaphore::new(0));
    *scene.puppet.held.lock().expect("not poisoned") = Some(Arc::clone(&held));
    let receive = join_all(events.iter().map(|event| scene.receive(event)));
    let release = async {
        scene.server.rooms.core().clock.sleep(Duration::from_secs(1)).await;
        assert_eq!(scene.puppet.asked.load(Ordering::Relaxed), AT_ONCE, "the others wait");
        held.add_permits(MORE);
    };
    let (verdicts, ()) = tokio::join!(receive, release);
    assert_eq!(verdicts, vec![Verdict::Accepted; MORE]);
    assert_eq!(scene.puppet.asked.load(Ordering::Relaxed), MORE);
}
