//! States and auth chains as other servers get them: page by page, whole, and with nothing that is not in the room.

use std::collections::BTreeSet;

use plop_rooms::draft::EventDraft;
use plop_rooms::ingest::Verdict;
use plop_rooms::serve::{Part, ServeError};
use ruma::{OwnedEventId, RoomVersionId};

use crate::suite::bed::json;
use crate::suite::sim_network::whole_ids;
use crate::suite::sim_room::{member, message, picture, send, user};
use crate::suite::sim_scene::Scene;

/// More entries than a page has.
const ENTRIES: usize = 450;

/// Events in one page.
const PAGE: usize = 200;

/// A room with many state events, the last of which is replaced, and an event after them.
async fn large() -> (Scene, OwnedEventId) {
    let scene = Scene::new(RoomVersionId::V11).await;
    for number in 0..ENTRIES {
        let draft = EventDraft::state("org.example.entry", number.to_string(), scene.admin(), json("{}"));
        send(&scene.server, &scene.room, draft).await.expect("allowed");
    }
    let event = send(&scene.server, &scene.room, message(scene.admin(), "x")).await.expect("allowed");
    (scene, event.pdu.event_id_owned().clone())
}

#[tokio::test(start_paused = true)]
async fn a_large_state_comes_page_by_page_and_whole() {
    let (scene, event) = large().await;
    let expected: BTreeSet<_> = picture(&scene.server, &scene.room).await.state.into_values().collect();
    let (rooms, to) = (&scene.server.rooms, scene.evil_server());
    let mut served = rooms.serve_state(to, &scene.room, &event).await.expect("an answer");
    let (mut state, mut chain, mut pages) = (Vec::new(), Vec::new(), 0);
    while let Some((part, events)) = served.events().await.expect("a page") {
        assert!(events.len() <= PAGE, "{} events in a page", events.len());
        let ids = events.iter().map(|event| event.pdu.event_id_owned().clone());
        match part {
            Part::State => {
                assert!(chain.is_empty(), "the state comes first");
                state.extend(ids);
                pages += 1;
            }
            Part::AuthChain => chain.extend(ids),
        }
    }
    assert!(pages >= ENTRIES.div_ceil(PAGE));
    assert_eq!(state.iter().cloned().collect::<BTreeSet<_>>(), expected);
    assert_eq!(state.len(), expected.len(), "none comes twice");
    let ids = whole_ids(rooms.serve_state_ids(to, &scene.room, &event).await.expect("ids")).await;
    let ids = ids.expect("ids");
    assert_eq!((ids.state, ids.auth_chain), (state, chain));
}

/// One step of the walk meets more events of a chain than a page has.
#[tokio::test(start_paused = true)]
async fn a_wide_auth_chain_comes_page_by_page_and_whole() {
    const MEMBERS: usize = 250;
    let scene = Scene::new(RoomVersionId::V11).await;
    let mut joins = BTreeSet::new();
    for number in 0..MEMBERS {
        let user = user(&scene.server, &format!("user{number}"));
        let join = member(user.clone(), &user, "join");
        let join = send(&scene.server, &scene.room, join).await.expect("allowed");
        joins.insert(join.pdu.event_id_owned().clone());
        // The state has the leave, which cites the join.
        send(&scene.server, &scene.room, member(user.clone(), &user, "leave")).await.expect("allowed");
    }
    let event = send(&scene.server, &scene.room, message(scene.admin(), "x")).await.expect("allowed");
    let (rooms, to) = (&scene.server.rooms, scene.evil_server());
    let mut served = rooms.serve_state(to, &scene.room, event.pdu.event_id()).await.expect("an answer");
    let mut chain = Vec::new();
    while let Some((part, events)) = served.events().await.expect("a page") {
        assert!(events.len() <= PAGE, "{} events in a page", events.len());
        if part == Part::AuthChain {
            chain.extend(events.iter().map(|event| event.pdu.event_id_owned().clone()));
        }
    }
    let known: BTreeSet<_> = chain.iter().cloned().collect();
    assert_eq!(known.len(), chain.len(), "none comes twice");
    assert!(known.is_superset(&joins));
}

/// The auth chain of every state event is in the answer: all that it cites, and so on.
#[tokio::test(start_paused = true)]
async fn an_auth_chain_is_whole_and_has_what_is_cited_first() {
    let (scene, event) = large().await;
    let (rooms, to) = (&scene.server.rooms, scene.evil_server());
    let served = rooms.serve_event_auth(to, &scene.room, &event).await.expect("an answer");
    let chain = whole_ids(served).await.expect("ids").auth_chain;
    let known: BTreeSet<_> = chain.iter().cloned().collect();
    assert_eq!(known.len(), chain.len(), "none comes twice");
    let cited = rooms.serve_event(to, &scene.room, &event).await.expect("the event");
    let cited = cited.pdu.auth_events();
    assert_eq!(chain.iter().take(cited.len()).collect::<BTreeSet<_>>(), cited.iter().collect());
    for id in &chain {
        let event = rooms.serve_event(to, &scene.room, id).await.expect("an event of the chain");
        assert!(event.pdu.auth_events().iter().all(|cited| known.contains(cited)));
    }
}

/// Row 40: what was rejected is in no answer, also where another event cites it.
#[tokio::test(start_paused = true)]
async fn b3_40_no_rejected_event_is_in_a_state_or_an_auth_chain() {
    let scene = Scene::new(RoomVersionId::V11).await;
    let levels = r#"{"users":{"@user:evil.example":100}}"#;
    let levels = scene.next(&scene.evil, "m.room.power_levels", Some(""), levels).await;
    assert!(matches!(scene.receive(&levels).await, Verdict::Rejected(_)));
    let (rooms, to) = (&scene.server.rooms, scene.evil_server());
    let refused = rooms.serve_state(to, &scene.room, levels.event_id()).await;
    assert!(matches!(refused, Err(ServeError::NoEvent)));
    let event = send(&scene.server, &scene.room, message(scene.admin(), "x")).await.expect("allowed");
    let served = rooms.serve_state_ids(to, &scene.room, event.pdu.event_id()).await.expect("ids");
    let ids = whole_ids(served).await.expect("ids");
    assert!(!ids.state.iter().chain(&ids.auth_chain).any(|id| id == levels.event_id()));
}
