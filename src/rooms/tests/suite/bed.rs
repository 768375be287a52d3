//! What the tests build rooms with.

use std::time::Duration;

use plop_base::clock::{Clock, UnixMillis};
use plop_base::{Actor, Random};
use plop_db::{Db, KeyspaceInfo};
use plop_rooms::core::Core;
use plop_rooms::event_store::EventStore;
use plop_rooms::ops::create::{CreateRoom, InitialState, Preset};
use plop_rooms::ops::send::{Redaction, SendEvent, Whose};
use plop_rooms::rooms::Rooms;
use plop_rooms::schema::{HeadRow, Heads, Membership};
use plop_rooms::state_lists::StateLists;
use plop_state::StateKey;
use plop_state::json::{NumberRule, Object, parse_object};
use plop_state::sign::SigningKey;
use plop_state_store::{CacheBytes, StateStore};
use ruma::{OwnedRoomId, OwnedUserId, RoomId, RoomVersionId, owned_device_id, owned_server_name};

/// A server without anything around it.
pub struct Bed {
    pub rooms: Rooms,
}

impl Bed {
    pub async fn new() -> Self {
        let random = Random::seeded(7);
        let db = Db::memory(keyspaces(), &random).expect("a database");
        Self::on(db, random).await
    }

    /// A server on an existing database, as after a restart.
    pub async fn on(db: Db, random: Random) -> Self {
        let cache = CacheBytes { nodes: 1 << 20, links: 1 << 20 };
        let state = StateStore::open(&db, &random, cache).await.expect("a state store");
        let server = owned_server_name!("plop.example");
        let key = SigningKey::from_seed(server.clone(), "a", &[1; 32]).expect("a key");
        let clock = Clock::simulated(UnixMillis(1_700_000_000_000));
        let core = Core {
            db,
            state,
            events: EventStore::new(1 << 20),
            state_lists: StateLists::default(),
            server,
            key,
            clock,
            random,
            redaction_retention: Duration::from_secs(7 * 24 * 60 * 60),
        };
        Self { rooms: Rooms::open(core, 1 << 24).await.expect("rooms") }
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

    /// Sets a state event with the empty state key.
    pub async fn set(&self, by: &str, room: &RoomId, kind: &str, content: &str) {
        let event = SendEvent {
            kind: kind.to_owned(),
            state_key: Some(String::new()),
            content: json(content),
            transaction: None,
            ts: None,
        };
        self.rooms.send(&user(by), room, &event).await.expect("a state event");
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

    /// The same database, with nothing of what was in memory.
    pub async fn restarted(&self) -> Self {
        Self::on(self.rooms.core().db.clone(), Random::seeded(8)).await
    }
}

/// The keyspaces that rooms need.
pub fn keyspaces() -> Vec<KeyspaceInfo> {
    [plop_accounts::schema::KEYSPACES, plop_state_store::KEYSPACES, plop_rooms::schema::KEYSPACES].concat()
}

/// A logged-in user of the server.
pub fn user(name: &str) -> Actor {
    Actor::User { user: id(name), device: owned_device_id!("DEVICE") }
}

pub fn id(name: &str) -> OwnedUserId {
    OwnedUserId::try_from(format!("@{name}:plop.example")).expect("a user id")
}

pub fn json(text: &str) -> Object {
    parse_object(text.as_bytes(), NumberRule::Strict).expect("an object")
}

/// A redaction of whatever event the room lets one redact.
pub fn redaction<'r>(reason: Option<&'r str>, transaction: &'r str) -> Redaction<'r> {
    Redaction { reason, transaction, whose: Whose::Any }
}

/// A request for a private room.
pub fn private_room(version: RoomVersionId) -> CreateRoom {
    CreateRoom {
        version,
        preset: Preset::PrivateChat,
        published: false,
        alias: None,
        name: None,
        topic: None,
        invite: Vec::new(),
        is_direct: false,
        creation_content: Object::new(),
        initial_state: Vec::new(),
        power_levels_override: Object::new(),
    }
}
