//! What the tests build rooms with.

use std::ops::Deref;

pub use plop_bed::{Ground, id, json, user};
use plop_rooms::ops::create::{CreateRoom, InitialState};
use plop_rooms::ops::send::{Redaction, Whose};
use plop_rooms::schema::{HeadRow, Heads, Membership};
use plop_state::StateKey;
use ruma::{OwnedRoomId, RoomId, RoomVersionId};

use crate::suite::bed_rooms::RoomBed;
pub use crate::suite::bed_rooms::{keyspaces, private_room};

/// A server without anything around its rooms.
pub struct Bed(RoomBed);

impl Deref for Bed {
    type Target = RoomBed;

    fn deref(&self) -> &RoomBed {
        &self.0
    }
}

impl Bed {
    pub async fn new() -> Self {
        Self(RoomBed::new().await)
    }

    pub async fn on(ground: Ground) -> Self {
        Self(RoomBed::on(ground).await)
    }

    /// The same database, with nothing of what was in memory.
    pub async fn restarted(&self) -> Self {
        Self(self.0.restarted().await)
    }

    /// A private room of alice's, with these join rules where some are given.
    pub async fn room(&self, version: RoomVersionId, join_rules: Option<&str>) -> OwnedRoomId {
        let join_rules = join_rules.map(|content| InitialState {
            kind: "m.room.join_rules".to_owned(),
            state_key: String::new(),
            content: json(content),
        });
        let request = CreateRoom { initial_state: join_rules.into_iter().collect(), ..private_room(version) };
        self.rooms.create(&user("alice"), &request).await.expect("a room")
    }

    /// The content of a current state event; `null` without one.
    pub async fn state(&self, room: &RoomId, kind: &str, state_key: &str) -> serde_json::Value {
        let view = self.rooms.view_by_id(room).await.expect("the room");
        let (core, snapshot) = (self.rooms.core(), self.rooms.core().db.snapshot());
        let key = StateKey::new(kind, state_key);
        let number = core.state.tree.get(&snapshot, view.grove(), view.root, &key).await.expect("a state");
        let Some(number) = number else { return serde_json::Value::Null };
        let event = core.events.get(&snapshot, view.number, view.rules, number).await.expect("the event");
        serde_json::from_str(event.pdu.content_text()).expect("JSON")
    }

    /// How a user stands to a room.
    pub async fn membership(&self, room: &RoomId, name: &str) -> Option<Membership> {
        let view = self.rooms.view_by_id(room).await.expect("the room");
        view.members.get(&id(name)).map(|member| member.membership)
    }

    /// Where a room stands: changes with everything that is written.
    pub async fn head(&self, room: &RoomId) -> HeadRow {
        let number = self.rooms.number(room).await.expect("a read").expect("a room");
        self.rooms.core().db.snapshot().get::<Heads>(&number).await.expect("a read").expect("a head")
    }
}

/// A redaction of whatever event the room lets one redact.
pub fn redaction<'r>(reason: Option<&'r str>, transaction: &'r str) -> Redaction<'r> {
    Redaction { reason, transaction, whose: Whose::Any }
}
