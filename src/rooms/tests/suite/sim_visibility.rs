//! What other servers see of a room's history. The names carry the rows of the catalogue of hostile input.

use std::collections::BTreeMap;
use std::time::Duration;

use plop_rooms::draft::EventDraft;
use plop_rooms::remote::MissingEvents;
use plop_rooms::serve::ServeError;
use plop_state::json::Object;
use ruma::{OwnedEventId, OwnedUserId, RoomVersionId};

use crate::suite::sim_room::{create, member, message, send};
use crate::suite::sim_scene::Scene;

/// A room with that visibility, and its messages: from before the other server had to do with it, from after the invite of its user, from after
/// the join.
async fn told(scene: &Scene, visibility: &str) -> (Scene, [OwnedEventId; 3]) {
    let room = create(std::slice::from_ref(&scene.server), &RoomVersionId::V11).await;
    let scene = scene.in_room(room);
    let admin = scene.admin();
    let content = Object::from([("history_visibility".to_owned(), visibility.into())]);
    let draft = EventDraft::state("m.room.history_visibility", "", admin.clone(), content);
    send(&scene.server, &scene.room, draft).await.expect("allowed");
    let say = async |text: &str| {
        let sent = send(&scene.server, &scene.room, message(admin.clone(), text)).await;
        sent.expect("allowed").pdu.event_id_owned().clone()
    };
    let before = say("before").await;
    send(&scene.server, &scene.room, member(admin.clone(), &scene.evil, "invite")).await.expect("allowed");
    let invited = say("invited").await;
    scene.join(&scene.evil.clone()).await;
    let joined = say("joined").await;
    (scene, [before, invited, joined])
}

/// The contents that the other server gets, whichever way it asks.
async fn contents(scene: &Scene, newest: &OwnedEventId) -> BTreeMap<OwnedEventId, String> {
    let (rooms, to) = (&scene.server.rooms, scene.evil_server());
    let from = std::slice::from_ref(newest);
    let backfilled = rooms.serve_backfill(to, &scene.room, from, 100).await.expect("an answer");
    let wanted =
        MissingEvents { latest: from.to_vec(), earliest: Vec::new(), limit: usize::MAX, min_depth: 0 };
    let missing = rooms.serve_missing_events(to, &scene.room, &wanted).await.expect("an answer");
    let mut contents = BTreeMap::new();
    for event in backfilled {
        contents.insert(event.pdu.event_id_owned().clone(), event.pdu.content_text().to_owned());
    }
    assert_eq!(contents.len(), missing.len() + 1, "all but the newest one");
    for event in missing {
        assert_eq!(contents[event.pdu.event_id()], event.pdu.content_text(), "by /get_missing_events");
    }
    for (id, content) in &contents {
        let event = rooms.serve_event(to, &scene.room, id).await.expect("an answer");
        assert_eq!(content, event.pdu.content_text(), "by /event");
        assert_eq!(event.pdu.event_id(), id);
    }
    contents
}

#[tokio::test(start_paused = true)]
async fn b4_73_b4_76_a_server_sees_what_one_of_its_users_may() {
    let scene = Scene::new(RoomVersionId::V11).await;
    let table = [
        ("world_readable", [true, true, true]),
        ("shared", [true, true, true]),
        ("invited", [false, true, true]),
        ("joined", [false, false, true]),
        ("a word of its own", [true, true, true]),
    ];
    for (visibility, expected) in table {
        let (scene, told) = told(&scene, visibility).await;
        let contents = contents(&scene, &told[2]).await;
        let seen = told.clone().map(|event| contents[&event].contains("body"));
        assert_eq!(seen, expected, "{visibility}");
        for (event, sees) in told.iter().zip(expected) {
            assert!(sees || contents[event] == "{}", "{visibility}");
        }
        let own = contents.values().filter(|content| content.contains("\"join\""));
        assert!(own.count() >= 1, "{visibility}: its own join is its own event");
        let sets = contents.values().any(|content| content.contains(visibility));
        assert!(sets, "{visibility}: what shuts it out it sees, from where that was seen by all");
    }
}

#[tokio::test(start_paused = true)]
async fn b4_73_who_is_not_in_the_room_sees_nothing_of_any() {
    let scene = Scene::new(RoomVersionId::V11).await;
    for visibility in ["world_readable", "shared"] {
        let (scene, told) = told(&scene, visibility).await;
        let leave =
            scene.next(&scene.evil, "m.room.member", Some(scene.evil.as_str()), r#"{"membership":"leave"}"#);
        let leave = leave.await;
        scene.receive(&leave).await;
        let (rooms, to) = (&scene.server.rooms, scene.evil_server());
        let event = rooms.serve_event(to, &scene.room, &told[2]).await;
        assert!(matches!(event, Err(ServeError::NotInRoom)), "{visibility}");
        let history = rooms.serve_backfill(to, &scene.room, &told[2..], 10).await;
        assert!(matches!(history, Err(ServeError::NotInRoom)), "{visibility}");
        let state = rooms.serve_state_ids(to, &scene.room, &told[2]).await;
        assert!(matches!(state, Err(ServeError::NotInRoom)), "{visibility}");
    }
}

/// Events are read for a few at a time; ids cost little.
#[tokio::test(start_paused = true)]
async fn a_few_pages_of_states_are_read_at_once() {
    const AT_ONCE: u32 = 4;
    let scene = Scene::new(RoomVersionId::V11).await;
    let event = send(&scene.server, &scene.room, message(scene.admin(), "x")).await.expect("allowed");
    let (rooms, to, id) = (&scene.server.rooms, scene.evil_server(), event.pdu.event_id());
    let being_read = rooms.served_pages().acquire_many(AT_ONCE).await.expect("places");
    let mut state = rooms.serve_state(to, &scene.room, id).await.expect("an answer");
    let mut page = Box::pin(state.events());
    assert!(futures_util::poll!(&mut page).is_pending(), "one more at once");
    let mut ids = rooms.serve_state_ids(to, &scene.room, id).await.expect("an answer");
    assert!(ids.ids().await.expect("ids cost little").is_some());
    drop(being_read);
    assert!(page.await.expect("a page").is_some());
}

/// Whoever takes a state and does not read it keeps no other from it, nor from joining.
#[tokio::test(start_paused = true)]
async fn slow_readers_of_states_hold_up_nobody() {
    const SLOW: usize = 20;
    let scene = Scene::new(RoomVersionId::V11).await;
    let event = send(&scene.server, &scene.room, message(scene.admin(), "x")).await.expect("allowed");
    let (rooms, to, id) = (&scene.server.rooms, scene.evil_server(), event.pdu.event_id());
    let mut slow = Vec::new();
    let all_served = async {
        while slow.len() < SLOW {
            let mut state = rooms.serve_state(to, &scene.room, id).await.expect("an answer");
            assert!(state.events().await.expect("a page").is_some());
            slow.push(state);
        }
        let late = OwnedUserId::try_from(format!("@late:{}", scene.evil_server())).expect("a user id");
        scene.join(&late).await;
        let mut state = rooms.serve_state(to, &scene.room, id).await.expect("an answer");
        while state.events().await.expect("a page").is_some() {}
    };
    let clock = &rooms.core().clock;
    clock.timeout(Duration::from_secs(60), all_served).await.expect("nobody waits for the slow ones");
}
