//! Rooms whose history is told event by event.

use std::sync::Arc;

use plop_db::{Direction, KeyRange};
use plop_rooms::RoomEvent;
use plop_rooms::draft::EventDraft;
use plop_rooms::operation::Operation;
use plop_rooms::schema::Timeline;
use plop_state_store::RoomNumber;
use ruma::{OwnedEventId, OwnedRoomId, RoomVersionId};

use crate::suite::bed::{Bed, id, json};

/// A room of alice's that everybody may join.
pub struct Room<'a> {
    pub bed: &'a Bed,
    pub id: OwnedRoomId,
    pub number: RoomNumber,
}

impl<'a> Room<'a> {
    pub async fn new(bed: &'a Bed, version: RoomVersionId) -> Self {
        let id = bed.room_of_version("alice", version).await;
        let number = bed.rooms.number(&id).await.expect("a read").expect("a number");
        Self { bed, id, number }
    }

    /// One operation.
    pub async fn write<T>(&self, work: impl AsyncFnOnce(&mut Operation<'_>) -> T) -> T {
        let mut writer = self.bed.rooms.writer(self.number).await.expect("the guard");
        let mut operation = writer.begin();
        let outcome = work(&mut operation).await;
        let receipt = operation.submit().await.expect("a receipt");
        drop(writer);
        receipt.await.expect("a commit");
        outcome
    }

    pub async fn append(&self, draft: EventDraft) -> OwnedEventId {
        let work = async |operation: &mut Operation<'_>| operation.append(draft).await;
        self.write(work).await.expect("an event").pdu.event_id_owned().clone()
    }

    pub async fn say(&self, name: &str, text: &str) -> OwnedEventId {
        let content = json(&format!(r#"{{"msgtype":"m.text","body":"{text}"}}"#));
        self.append(EventDraft::message("m.room.message", id(name), content)).await
    }

    pub async fn set(&self, kind: &str, content: &str) -> OwnedEventId {
        self.append(EventDraft::state(kind, "", id("alice"), json(content))).await
    }

    pub async fn set_visibility(&self, word: &str) -> OwnedEventId {
        self.set("m.room.history_visibility", &format!(r#"{{"history_visibility":"{word}"}}"#)).await
    }

    /// Changes the membership of a user: what only the user can do is done by them, the rest by alice.
    pub async fn member(&self, name: &str, membership: &str) -> OwnedEventId {
        let sender = if membership == "join" { name } else { "alice" };
        let content = json(&format!(r#"{{"membership":"{membership}"}}"#));
        self.append(EventDraft::state("m.room.member", id(name).as_str(), id(sender), content)).await
    }

    /// Everything that happened, in order of arrival: for a room of one server the order of its graph too.
    pub async fn events(&self) -> Vec<Arc<RoomEvent>> {
        let core = self.bed.rooms.core();
        let view = self.bed.rooms.view(self.number).await.expect("the room");
        let snapshot = core.db.snapshot();
        let rows = KeyRange::<Timeline>::prefix(&self.number);
        let page = snapshot.scan(rows, Direction::Forward, 10_000).await.expect("rows");
        let numbers: Vec<_> = page.rows.iter().map(|(_, row)| row.event).collect();
        core.events.get_many(&snapshot, self.number, view.rules, &numbers).await.expect("events")
    }
}

pub fn ids(events: &[Arc<RoomEvent>]) -> Vec<OwnedEventId> {
    events.iter().map(|event| event.pdu.event_id_owned().clone()).collect()
}
