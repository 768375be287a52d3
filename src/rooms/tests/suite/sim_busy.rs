//! A room that is written without a pause while an event from elsewhere is to get its place.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::join_all;
use plop_base::clock::UnixMillis;
use plop_db::codec::Tail;
use plop_db::{Batch, Direction, KeyRange};
use plop_rooms::LoadError;
use plop_rooms::draft::EventDraft;
use plop_rooms::ingest::Verdict;
use plop_rooms::schema::{Events, Outcome, WaitingEvents, WaitingRow};
use ruma::{EventId, OwnedEventId, RoomVersionId};

use crate::suite::bed::json;
use crate::suite::sim_room::{create, message, outcome, picture, view};
use crate::suite::sim_scene::{EVIL, Scene};

/// Does some work while local events are written, at least one between any two times that the work has the guard.
async fn in_a_busy_room<T>(
    scene: &Scene,
    draft: impl Fn(usize) -> EventDraft,
    work: impl Future<Output = T>,
) -> T {
    let rooms = &scene.server.rooms;
    let number = view(&scene.server, &scene.room).await.number;
    let busy = async {
        let mut writer = rooms.writer(number).await.expect("the guard");
        for count in 0.. {
            let mut next = pin!(rooms.writer(number));
            assert!(futures_util::poll!(&mut next).is_pending(), "in the queue before the guard is free");
            let mut operation = writer.begin();
            operation.append(draft(count)).await.expect("allowed");
            let receipt = operation.submit().await.expect("submitted");
            drop(writer);
            writer = next.await.expect("the guard");
            receipt.await.expect("committed");
        }
    };
    tokio::select! {
        biased;
        done = work => done,
        () = busy => unreachable!("it never ends"),
    }
}

fn topic(scene: &Scene, count: usize) -> EventDraft {
    EventDraft::state("m.room.topic", "", scene.admin(), json(&format!(r#"{{"topic":"{count}"}}"#)))
}

async fn forward_extremities(scene: &Scene) -> Vec<OwnedEventId> {
    picture(&scene.server, &scene.room).await.forward_extremities.into_iter().collect()
}

/// How many events of the room wait.
async fn waiting(scene: &Scene) -> usize {
    let number = view(&scene.server, &scene.room).await.number;
    let range = KeyRange::<WaitingEvents>::prefix(&number);
    let page = scene.server.rooms.core().db.snapshot().scan(range, Direction::Forward, 100).await;
    page.expect("rows").rows.len()
}

#[tokio::test(start_paused = true)]
async fn messages_hold_out_no_event_from_elsewhere() {
    let scene = Scene::new(RoomVersionId::V11).await;
    let old = forward_extremities(&scene).await;
    let user = scene.evil.to_string();
    // Of two changes of one entry the later one stands.
    scene.server.rooms.core().clock.sleep(Duration::from_secs(1)).await;
    let events = [
        scene.on(&old, &scene.evil, "m.room.message", None, r#"{"body":"x"}"#).await,
        // Its change is resolved with what the room holds.
        scene
            .on(&old, &scene.evil, "m.room.member", Some(&user), r#"{"membership":"join","displayname":"n"}"#)
            .await,
    ];
    for event in &events {
        let text = |count: usize| message(scene.admin(), &format!("{count}"));
        let verdict = in_a_busy_room(&scene, text, scene.receive(event)).await;
        assert_eq!(verdict, Verdict::Accepted, "{}", event.type_name());
    }
    let state = picture(&scene.server, &scene.room).await.state;
    let member = state.get(&format!(r#"("m.room.member", "{user}")"#));
    assert_eq!(member, Some(events[1].event_id_owned()));
    assert_eq!(waiting(&scene).await, 0);
    let restarted = scene.restarted().await;
    picture(&restarted, &scene.room).await;
}

/// Nothing is resolved while the guard is held, however often the room outruns the event; and the event is not lost.
#[tokio::test(start_paused = true)]
async fn an_event_that_a_changing_state_outruns_waits_and_is_tried_again() {
    let scene = Scene::new(RoomVersionId::V11).await;
    let old = forward_extremities(&scene).await;
    let below = scene.on(&old, &scene.evil, "m.room.message", None, r#"{"body":"x"}"#).await;
    let prev = [below.event_id_owned().clone()];
    let event = scene.on(&prev, &scene.evil, "m.room.message", None, r#"{"body":"y"}"#).await;
    scene.puppet.missing.lock().expect("not poisoned").push(below.canonical().into());
    scene.tells_state(&event, &[]).await;
    // As long as the room is busy, another try of it changes nothing.
    let work = async {
        let verdict = scene.receive(&event).await;
        (verdict, scene.outcome(&event).await, scene.outcome(&below).await, waiting(&scene).await)
    };
    let (verdict, of_event, of_below, waiting_then) =
        in_a_busy_room(&scene, |count| topic(&scene, count), work).await;
    assert_eq!((verdict, of_event), (Verdict::Waiting, None));
    let expected = 1 + usize::from(of_below.is_none());
    assert_eq!(waiting_then, expected, "what comes before it has its place or waits with it, and is no gap");
    scene.server.rooms.core().clock.sleep(Duration::from_secs(600)).await;
    for event in [&below, &event] {
        assert_eq!(scene.outcome(event).await, Some(Outcome::Accepted));
    }
    assert_eq!(waiting(&scene).await, 0);
    let extremities = forward_extremities(&scene).await;
    assert!(extremities.contains(event.event_id_owned()) && !extremities.contains(below.event_id_owned()));
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_tried_again_after_a_start() {
    let scene = Scene::new(RoomVersionId::V11).await;
    let gone: OwnedEventId = EventId::parse(format!("${:a>43}", "gone")).expect("an event id");
    let event = scene.on(&[gone], &scene.evil, "m.room.message", None, r#"{"body":"x"}"#).await;
    assert_eq!(scene.receive(&event).await, Verdict::Waiting, "nobody knows the state before it");
    let restarted = scene.restarted().await;
    assert_eq!(restarted.ingest.resume().await.expect("the store works"), 0);
    scene.tells_state(&event, &[]).await;
    assert_eq!(restarted.ingest.resume().await.expect("the store works"), 1);
    let number = view(&restarted, &scene.room).await.number;
    assert_eq!(outcome(&restarted, number, event.event_id_owned()).await, Some(Outcome::Accepted));
    assert_eq!(waiting(&scene).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_room_that_cannot_be_read_holds_up_no_other_one_after_a_start() {
    let scene = Scene::new(RoomVersionId::V11).await;
    let other = scene.in_room(create(std::slice::from_ref(&scene.server), &RoomVersionId::V11).await);
    other.join(&scene.evil).await;
    let gone: OwnedEventId = EventId::parse(format!("${:a>43}", "gone")).expect("an event id");
    let mut last = None;
    for scene in [&scene, &other] {
        let event = scene
            .on(std::slice::from_ref(&gone), &scene.evil, "m.room.message", None, r#"{"body":"x"}"#)
            .await;
        assert_eq!(scene.receive(&event).await, Verdict::Waiting);
        scene.tells_state(&event, &[]).await;
        last = Some(event);
    }
    let broken = view(&scene.server, &scene.room).await.number;
    let mut batch = Batch::durable();
    batch.delete_range(KeyRange::<Events>::prefix(&broken));
    scene.server.rooms.core().db.commit(batch).await.expect("a commit");
    let restarted = scene.restarted().await;
    assert!(matches!(restarted.rooms.view(broken).await, Err(LoadError::Store(_))));
    assert_eq!(restarted.ingest.resume().await.expect("the store works"), 1);
    let number = view(&restarted, &other.room).await.number;
    let last = last.expect("an event").event_id_owned().clone();
    assert_eq!(outcome(&restarted, number, &last).await, Some(Outcome::Accepted));
}

#[tokio::test(start_paused = true)]
async fn events_that_come_together_wait_within_the_bound() {
    const BOUND: usize = 256;
    let scene = Scene::new(RoomVersionId::V11).await;
    let number = view(&scene.server, &scene.room).await.number;
    let mut batch = Batch::durable();
    for count in 0..BOUND + 50 {
        let id = EventId::parse(format!("${count:a>43}")).expect("an event id");
        let row = WaitingRow { from: EVIL.to_owned(), since: UnixMillis(0), pdu: Tail("{}".to_owned()) };
        batch.put::<WaitingEvents>(&(number, id), &row);
    }
    scene.server.rooms.core().db.commit(batch).await.expect("a commit");
    let gone: OwnedEventId = EventId::parse(format!("${:a>43}", "gone")).expect("an event id");
    let mut events = Vec::new();
    for count in 0..8 {
        let body = format!(r#"{{"body":"{count}"}}"#);
        events.push(scene.on(std::slice::from_ref(&gone), &scene.evil, "m.room.message", None, &body).await);
    }
    let verdicts = join_all(events.iter().map(|event| scene.receive(event))).await;
    assert_eq!(verdicts, vec![Verdict::Waiting; events.len()]);
    let range = KeyRange::<WaitingEvents>::prefix(&number);
    let page = scene.server.rooms.core().db.snapshot().scan(range, Direction::Forward, 1_000).await;
    let waiting: Vec<_> = page.expect("rows").rows.into_iter().map(|((_, id), _)| id).collect();
    assert_eq!(waiting.len(), BOUND);
    assert!(events.iter().all(|event| waiting.contains(event.event_id_owned())), "the oldest ones go");
}
