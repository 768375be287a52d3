//! Changes of a room's state that are too large for one batch: joining, joining again, a state that resolves to another one.

use std::time::Duration;

use plop_db::codec::Tail;
use plop_db::{Batch, Direction, KeyRange, Pages};
use plop_rooms::LoadError;
use plop_rooms::draft::EventDraft;
use plop_rooms::ingest::{JoinError, Verdict};
use plop_rooms::schema::{MemberRow, Members, Projecting, ProjectingRow, StagedEvents, UserRooms};
use plop_state::Pdu;
use plop_state::json::Value;
use plop_state_store::RoomNumber;
use plop_state_store::tree::Root;
use ruma::{EventId, OwnedRoomId, OwnedUserId, RoomVersionId};

use crate::suite::bed::json;
use crate::suite::sim_joining::{event, evil_key, founded, join, offers, raw, room_id, template};
use crate::suite::sim_network::Server;
use crate::suite::sim_room::{picture, send, view};
use crate::suite::sim_scene::{EVIL, Scene, Told};

/// Their rows take 9 MB, and a batch has 8.
const MANY: usize = 150;

/// What an invited user is called: about as long as an event can be.
fn content(letter: char) -> String {
    let name = letter.to_string().repeat(60_000);
    format!(r#"{{"displayname":"{name}","membership":"invite"}}"#)
}

fn guest(number: usize) -> OwnedUserId {
    OwnedUserId::try_from(format!("@guest{number:03}:{EVIL}")).expect("a user id")
}

/// Invites of the other server's room, whose state is that of [`founded`].
fn invites(state: &[Pdu; 4], letter: char, names: &str) -> Vec<Pdu> {
    let cited: Vec<&Pdu> = state.iter().collect();
    let content = content(letter);
    let invite = |number| {
        let user = format!("@{names}{number:03}:{EVIL}");
        event(&cited, "m.room.member", &user, &content, &evil_key())
    };
    (0..MANY).map(invite).collect()
}

/// The other server's room with many guests.
fn is_large(scene: &Scene, depth: i64, names: &str) {
    let state = founded();
    let mut template = template(&state, &scene.admin());
    template.insert("depth".to_owned(), Value::Int(depth));
    let invites = invites(&state, 'x', names);
    offers(scene, "11", template, raw(state.iter().chain(&invites)));
}

async fn rows(server: &Server, room: RoomNumber) -> Vec<MemberRow> {
    let snapshot = server.rooms.core().db.snapshot();
    let mut pages = Pages::new(KeyRange::<Members>::prefix(&room), 1000);
    let mut rows = Vec::new();
    while let Some(page) = pages.next(&snapshot).await.expect("a page") {
        rows.extend(page.into_iter().map(|(_, row)| row));
    }
    rows
}

async fn is_behind(server: &Server, room: RoomNumber) -> bool {
    server.rooms.core().db.snapshot().get::<Projecting>(&room).await.expect("a read").is_some()
}

/// No answer that has been taken in, or was not, leaves anything behind.
pub async fn nothing_is_staged(server: &Server) {
    let core = server.rooms.core();
    core.clock.sleep(Duration::from_secs(1)).await;
    let rows = core.db.snapshot().scan(KeyRange::<StagedEvents>::all(), Direction::Forward, 1).await;
    assert!(rows.expect("rows").rows.is_empty());
}

/// The rows are those of the state, and agree with each other.
async fn is_whole(server: &Server, room: &OwnedRoomId, members: usize) {
    picture(server, room).await;
    let view = view(server, room).await;
    assert_eq!(view.members.len(), members);
    let rows = rows(server, view.number).await;
    assert_eq!(rows.len(), members);
    assert!(!is_behind(server, view.number).await);
    let report = server.rooms.core().db.check(&plop_rooms::check::reference_checks()).await;
    assert!(report.is_sound(), "{:?}", report.problems);
}

#[tokio::test(start_paused = true)]
async fn a_room_of_any_size_is_joined_and_joined_again() {
    let scene = Scene::new(RoomVersionId::V11).await;
    is_large(&scene, 5, "guest");
    join(&scene).await.expect("joined");
    is_whole(&scene.server, &room_id(), MANY + 2).await;
    nothing_is_staged(&scene.server).await;
    let leave = crate::suite::sim_room::member(scene.admin(), &scene.admin(), "leave");
    send(&scene.server, &room_id(), leave).await.expect("left");
    is_large(&scene, 6, "other");
    join(&scene).await.expect("joined again");
    // Those of the first state are in the second one no more.
    is_whole(&scene.server, &room_id(), MANY + 2).await;
    is_whole(&scene.restarted().await, &room_id(), MANY + 2).await;
}

#[tokio::test(start_paused = true)]
async fn a_resolution_may_change_more_than_a_batch_takes() {
    let scene = Scene::new(RoomVersionId::V11).await;
    let levels = format!(r#"{{"users":{{"{}":100,"{}":100}}}}"#, scene.admin(), scene.evil);
    let levels = EventDraft::state("m.room.power_levels", "", scene.admin(), json(&levels));
    send(&scene.server, &scene.room, levels).await.expect("allowed");
    let before = view(&scene.server, &scene.room).await.members.len();
    let missing = [EventId::parse(format!("${:a>43}", "gone")).expect("an event id")];
    let content = content('x');
    let mut invites = Vec::new();
    for number in 0..MANY {
        let user = guest(number);
        invites.push(scene.on(&missing, &scene.evil, "m.room.member", Some(user.as_str()), &content).await);
    }
    let last = scene.on(&missing, &scene.evil, "m.room.message", None, "{}").await;
    scene.tells_state(&last, &invites.iter().collect::<Vec<_>>()).await;
    let whole = Told { state: raw(&invites), ..Told::default() };
    scene.puppet.whole.lock().expect("not poisoned").insert(last.event_id_owned().clone(), whole);
    assert_eq!(scene.receive(&last).await, Verdict::Accepted);
    is_whole(&scene.server, &scene.room, before + MANY).await;
}

/// More of it than is kept in memory has come by then.
#[tokio::test(start_paused = true)]
async fn a_large_answer_that_breaks_off_leaves_nothing_behind() {
    let scene = Scene::new(RoomVersionId::V11).await;
    is_large(&scene, 5, "guest");
    scene.puppet.room.lock().expect("not poisoned").breaks_off = true;
    assert!(matches!(join(&scene).await, Err(JoinError::Remote(_))));
    assert!(matches!(scene.server.rooms.view_by_id(&room_id()).await, Err(LoadError::NotHere)));
    nothing_is_staged(&scene.server).await;
    scene.puppet.room.lock().expect("not poisoned").breaks_off = false;
    join(&scene).await.expect("joined");
    is_whole(&scene.server, &room_id(), MANY + 2).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_process_that_died_has_staged_is_deleted_after_the_restart() {
    let scene = Scene::new(RoomVersionId::V11).await;
    let number = view(&scene.server, &scene.room).await.number;
    let mut batch = Batch::durable();
    batch.put::<StagedEvents>(&(number, 0, 1), &Tail("{}".to_owned()));
    scene.server.rooms.core().db.commit(batch).await.expect("a commit");
    let restarted = scene.restarted().await;
    restarted.ingest.forget_staged().await.expect("the store works");
    nothing_is_staged(&restarted).await;
}

/// A crash right after the batch of the join: the rows that were to follow are not there.
async fn interrupted() -> (Scene, RoomNumber) {
    let scene = Scene::new(RoomVersionId::V11).await;
    is_large(&scene, 5, "guest");
    join(&scene).await.expect("joined");
    let joined = view(&scene.server, &room_id()).await;
    let number = joined.number;
    let mut batch = Batch::durable();
    batch.delete_range(KeyRange::<Members>::prefix(&number));
    for (user, _) in joined.members.iter() {
        batch.delete::<UserRooms>(&(user.clone(), number));
    }
    batch.put::<Projecting>(&number, &ProjectingRow { from: Root::EMPTY, since: 1 });
    scene.server.rooms.core().db.commit(batch).await.expect("a commit");
    let server = scene.restarted().await;
    let scene = Scene { server, ..scene.in_room(room_id()) };
    picture(&scene.server, &scene.room).await;
    assert_eq!(view(&scene.server, &scene.room).await.members.len(), MANY + 2, "the picture is whole");
    assert!(rows(&scene.server, number).await.is_empty());
    (scene, number)
}

#[tokio::test(start_paused = true)]
async fn what_a_crash_interrupts_is_done_after_the_restart() {
    let (scene, number) = interrupted().await;
    // Who changes meanwhile has the newer row and keeps it.
    let rename = r#"{"displayname":"later","membership":"join"}"#;
    let rename = EventDraft::state("m.room.member", scene.admin().as_str(), scene.admin(), json(rename));
    send(&scene.server, &scene.room, rename).await.expect("allowed");
    assert!(is_behind(&scene.server, number).await);
    scene.server.rooms.catch_up_all().await.expect("a walk");
    is_whole(&scene.server, &scene.room, MANY + 2).await;
    let rows = rows(&scene.server, number).await;
    assert!(rows.iter().any(|row| row.displayname.as_deref() == Some("later")));
    is_whole(&scene.restarted().await, &scene.room, MANY + 2).await;
}

#[tokio::test(start_paused = true)]
async fn an_event_from_elsewhere_finds_all_rows_written() {
    let (scene, _) = interrupted().await;
    let event = scene.next(&scene.evil, "m.room.message", None, r#"{"body":"x"}"#).await;
    assert_eq!(scene.receive(&event).await, Verdict::Accepted);
    is_whole(&scene.server, &scene.room, MANY + 2).await;
}
