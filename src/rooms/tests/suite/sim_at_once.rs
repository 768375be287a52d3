//! Events of one room that come at the same time: each sees what those before it have written, also while that is in flight.

use plop_db::{Direction, KeyRange, MemoryDisk};
use plop_rooms::RoomEvent;
use plop_rooms::draft::EventDraft;
use plop_rooms::ingest::Verdict;
use plop_rooms::remote::RawPdu;
use plop_rooms::schema::{BackwardExtremities, History, Outcome};
use plop_rooms::serve::ServeError;
use plop_state::Pdu;
use plop_state::json::{Object, Value};
use ruma::{OwnedEventId, OwnedUserId, RoomVersionId};

use crate::suite::sim_room::{outcome, picture, timeline, view};
use crate::suite::sim_scene::Scene;

async fn forward_extremities(scene: &Scene) -> Vec<OwnedEventId> {
    picture(&scene.server, &scene.room).await.forward_extremities.into_iter().collect()
}

async fn message(scene: &Scene, prev: &[OwnedEventId], body: &str) -> Pdu {
    scene.on(prev, &scene.evil, "m.room.message", None, &format!(r#"{{"body":"{body}"}}"#)).await
}

/// An accepted event below which these are missing.
async fn gap(scene: &Scene, missing: &[&Pdu]) -> Pdu {
    let prev: Vec<_> = missing.iter().map(|event| event.event_id_owned().clone()).collect();
    let above = message(scene, &prev, "above").await;
    scene.tells_state(&above, &[]).await;
    assert_eq!(scene.receive(&above).await, Verdict::Accepted);
    above
}

/// Every one of these events stands at its place in history, where no other one does.
async fn all_have_places(scene: &Scene, events: &[&Pdu]) {
    let number = view(&scene.server, &scene.room).await.number;
    let reading = scene.server.rooms.writer(number).await.expect("the guard").reading();
    for event in events {
        let event = reading.event_by_id(event.event_id()).await.expect("a read").expect("the event");
        let place = event.facts.place.expect("a place");
        let standing = reading.snapshot().get::<History>(&(number, place)).await.expect("a read");
        assert_eq!(standing, Some(event.number), "another event stands at its place");
    }
}

async fn shown(scene: &Scene, event: &Pdu) -> std::sync::Arc<RoomEvent> {
    let shown = timeline(&scene.server, &scene.room).await;
    shown.into_iter().find(|shown| shown.pdu.event_id() == event.event_id()).expect("in the timeline")
}

#[tokio::test(start_paused = true)]
async fn two_events_of_one_gap_close_it_and_get_a_place_each() {
    let scene = Scene::new(RoomVersionId::V11).await;
    let old = forward_extremities(&scene).await;
    let (one, two) = (message(&scene, &old, "one").await, message(&scene, &old, "two").await);
    gap(&scene, &[&one, &two]).await;
    let verdicts = tokio::join!(scene.receive(&one), scene.receive(&two));
    assert_eq!(verdicts, (Verdict::Accepted, Verdict::Accepted));
    all_have_places(&scene, &[&one, &two]).await;
    nothing_is_missing(&scene).await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_request_does_not_let_the_next_one_in_too_early() {
    let scene = Scene::new(RoomVersionId::V11).await;
    let old = forward_extremities(&scene).await;
    let (one, two) = (message(&scene, &old, "one").await, message(&scene, &old, "two").await);
    gap(&scene, &[&one, &two]).await;
    {
        let mut dropped = std::pin::pin!(scene.receive(&one));
        assert!(futures_util::poll!(&mut dropped).is_pending(), "on its way to the disk");
    }
    assert_eq!(scene.receive(&two).await, Verdict::Accepted);
    all_have_places(&scene, &[&one, &two]).await;
    nothing_is_missing(&scene).await;
}

/// The room has no gap.
async fn nothing_is_missing(scene: &Scene) {
    let number = view(&scene.server, &scene.room).await.number;
    let gaps = KeyRange::<BackwardExtremities>::prefix(&number);
    let gaps = scene.server.rooms.core().db.snapshot().scan(gaps, Direction::Forward, 10).await;
    assert!(gaps.expect("rows").rows.is_empty(), "nothing is missing any more");
}

#[tokio::test(start_paused = true)]
async fn a_redaction_in_flight_reaches_the_event_that_comes_meanwhile() {
    let scene = Scene::new(RoomVersionId::V11).await;
    let event = message(&scene, &forward_extremities(&scene).await, "secret").await;
    let number = view(&scene.server, &scene.room).await.number;
    let mut draft = EventDraft::message("m.room.redaction", scene.admin(), Object::new());
    draft.redacts = Some(event.event_id_owned().clone());
    let mut writer = scene.server.rooms.writer(number).await.expect("the guard");
    let mut operation = writer.begin();
    operation.append(draft).await.expect("allowed");
    let receipt = operation.submit().await.expect("submitted");
    drop(writer);
    assert_eq!(scene.receive(&event).await, Verdict::Accepted);
    receipt.await.expect("committed");
    assert_eq!(shown(&scene, &event).await.pdu.content_text(), "{}");
}

#[tokio::test(start_paused = true)]
async fn two_backfills_of_one_gap_give_no_place_twice() {
    let scene = Scene::new(RoomVersionId::V11).await;
    let old = forward_extremities(&scene).await;
    let [missing, one, two] = [
        message(&scene, &old, "missing").await,
        message(&scene, &old, "one").await,
        message(&scene, &old, "two").await,
    ];
    gap(&scene, &[&missing]).await;
    let backfill = async |event: &Pdu| {
        *scene.puppet.history.lock().expect("not poisoned") = vec![event.canonical().into()];
        scene.server.ingest.backfill(scene.evil_server(), &scene.room, 10).await.expect("the store works")
    };
    assert_eq!(tokio::join!(backfill(&one), backfill(&two)), (1, 1));
    assert_eq!(scene.outcome(&one).await, Some(Outcome::Accepted));
    all_have_places(&scene, &[&one, &two]).await;
}

#[tokio::test(start_paused = true)]
async fn what_stands_on_a_refused_event_is_found_out_anew() {
    let disk = MemoryDisk::new();
    let scene = Scene::on_disk(&disk, RoomVersionId::V11).await;
    let key = scene.evil.to_string();
    let name = r#"{"membership":"join","displayname":"new"}"#;
    let below = scene.next(&scene.evil, "m.room.member", Some(&key), name).await;
    let above = message(&scene, &[below.event_id_owned().clone()], "above").await;
    let ingest = &scene.server.ingest;
    let raw: [RawPdu; 2] = [below.canonical().into(), above.canonical().into()];
    disk.set_full(true);
    let mut lost = std::pin::pin!(ingest.receive(scene.evil_server(), &raw[0]));
    let mut built_on_it = std::pin::pin!(ingest.receive(scene.evil_server(), &raw[1]));
    assert!(futures_util::poll!(&mut lost).is_pending(), "on its way to the disk");
    assert!(futures_util::poll!(&mut built_on_it).is_pending());
    tokio::task::yield_now().await;
    disk.set_full(false);
    scene.server.rooms.core().db.probe().await.expect("room on the disk");
    assert!(lost.await.verdict.is_err(), "the disk was full");
    let verdict = built_on_it.await.verdict.expect("a verdict");
    assert_eq!(verdict, Verdict::Waiting, "what comes before it is not here");
    assert_eq!(scene.receive(&below).await, Verdict::Accepted);
    assert_eq!(scene.receive(&above).await, Verdict::Accepted);
    let restarted = scene.restarted().await;
    picture(&restarted, &scene.room).await;
    let number = view(&restarted, &scene.room).await.number;
    assert_eq!(outcome(&restarted, number, above.event_id_owned()).await, Some(Outcome::Accepted));
    let child = message(&scene, &[above.event_id_owned().clone()], "child").await;
    let received = restarted.ingest.receive(scene.evil_server(), &child.canonical().into()).await;
    assert_eq!(received.verdict.expect("the states are on disk"), Verdict::Accepted);
}

#[tokio::test(start_paused = true)]
async fn other_servers_are_told_only_what_is_on_disk() {
    let scene = Scene::new(RoomVersionId::V11).await;
    let rooms = &scene.server.rooms;
    let number = view(&scene.server, &scene.room).await.number;
    let before = forward_extremities(&scene).await;
    let mut writer = rooms.writer(number).await.expect("the guard");
    let mut operation = writer.begin();
    let text = crate::suite::sim_room::message(scene.admin(), "in flight");
    let event = operation.append(text).await.expect("allowed");
    let receipt = operation.submit().await.expect("submitted");
    let user = OwnedUserId::try_from("@new:evil.example").expect("a user id");
    let versions = [RoomVersionId::V11];
    // The guard is still held: nobody waits for it.
    let told = rooms.serve_event(scene.evil_server(), &scene.room, event.pdu.event_id()).await;
    assert!(matches!(told, Err(ServeError::NoEvent)), "it may still be refused");
    let template = rooms.serve_make_join(scene.evil_server(), &scene.room, &user, &versions).await;
    let template = template.expect("a template").event;
    let prev: Vec<_> = template.get("prev_events").and_then(Value::as_array).expect("a list").to_vec();
    let prev: Vec<_> = prev.iter().filter_map(Value::as_str).collect();
    assert_eq!(prev, before.iter().map(|id| id.as_str()).collect::<Vec<_>>());
    drop(writer);
    receipt.await.expect("committed");
    rooms.serve_event(scene.evil_server(), &scene.room, event.pdu.event_id()).await.expect("told");
}
