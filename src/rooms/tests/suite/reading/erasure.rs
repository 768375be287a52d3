//! What later members get of somebody who asked for erasure.

use std::collections::BTreeMap;
use std::sync::Arc;

use plop_accounts::schema::{DeactivationRow, UserKind, UserRow, Users};
use plop_base::clock::UnixMillis;
use plop_db::{Batch, Direction};
use plop_rooms::RoomEvent;
use plop_rooms::draft::EventDraft;
use plop_rooms::reader::client_event::Detail;
use plop_rooms::reader::history::PageRequest;
use plop_state::pdu::ClientFormat;
use ruma::{OwnedEventId, RoomVersionId};
use serde_json::Value;

use super::script::Room;
use crate::suite::bed::{Bed, id, json, user};

/// The account of a user has ended.
async fn end(bed: &Bed, name: &str, erase: bool) {
    let row = UserRow {
        kind: UserKind::Regular,
        created: UnixMillis(0),
        password: None,
        admin: false,
        locked: false,
        suspended: false,
        deactivated: Some(DeactivationRow { at: UnixMillis(0), erase }),
    };
    let mut batch = Batch::durable();
    batch.put::<Users>(&id(name), &row);
    bed.rooms.core().db.commit(batch).await.expect("committed");
}

/// All that a user sees of a room: each event by its id.
async fn seen(room: &Room<'_>, name: &str, detail: Detail) -> BTreeMap<OwnedEventId, Value> {
    let actor = user(name);
    let mut reader = room.bed.rooms.reader(&actor, &room.id).await.expect("a reader");
    let request = PageRequest { from: None, to: None, direction: Direction::Forward, limit: 1000 };
    let events: Vec<Arc<RoomEvent>> = reader.history(request, |_| true).await.expect("a page").events;
    let texts = reader.client_events(&events, ClientFormat::Full, detail).await.expect("texts");
    let shown = texts.iter().map(|text| serde_json::from_str(text).expect("JSON"));
    events.iter().map(|event| event.pdu.event_id_owned().clone()).zip(shown).collect()
}

fn members(content: &Value) -> usize {
    content.as_object().expect("an object").len()
}

#[tokio::test]
async fn who_was_not_there_gets_the_events_of_an_erased_user_redacted() {
    let bed = Bed::new().await;
    let room = Room::new(&bed, RoomVersionId::V12).await;
    let by_bob = |content: &str| EventDraft::state("org.example", "", id("bob"), json(content));
    for name in ["bob", "carol"] {
        room.member(name, "join").await;
    }
    room.set("m.room.power_levels", r#"{"state_default":0}"#).await;
    let said = room.say("bob", "secret").await;
    let other = room.say("alice", "hello").await;
    let former = room.append(by_bob(r#"{"x":"former"}"#)).await;
    let current = room.append(by_bob(r#"{"x":"current"}"#)).await;
    room.member("dora", "join").await;
    let later = room.say("bob", "to all of us").await;

    for erase in [false, true] {
        end(&bed, "bob", erase).await;
        let left = |whole: usize| if erase { 0 } else { whole };
        // Who was there keeps all.
        let carol = seen(&room, "carol", Detail::Timeline).await;
        for event in [&said, &other, &former, &current, &later] {
            assert!(members(&carol[event]["content"]) > 0, "{event}");
        }
        let dora = seen(&room, "dora", Detail::Timeline).await;
        assert_eq!(members(&dora[&said]["content"]), left(2));
        assert_eq!(members(&dora[&former]["content"]), left(1));
        assert_eq!(dora[&current]["content"]["x"], "current", "the room as it is");
        assert_eq!(members(&dora[&later]["content"]), 2);
        assert_eq!(members(&dora[&other]["content"]), 2);
        // What came before the current state is no way around it.
        let before = &dora[&current]["unsigned"]["prev_content"]["x"];
        assert_eq!(before.as_str(), (!erase).then_some("former"));
        // State is given as it is.
        assert_eq!(seen(&room, "dora", Detail::State).await[&former]["content"]["x"], "former");
    }
}
