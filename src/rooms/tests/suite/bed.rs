//! What the tests build rooms with.

use std::time::Duration;

use plop_base::clock::{Clock, UnixMillis};
use plop_base::{Actor, Random};
use plop_db::Db;
use plop_rooms::core::Core;
use plop_rooms::event_store::EventStore;
use plop_rooms::ops::create::{CreateRoom, Preset};
use plop_rooms::rooms::Rooms;
use plop_state::json::{NumberRule, Object, parse_object};
use plop_state::sign::SigningKey;
use plop_state_store::{CacheBytes, StateStore};
use ruma::{OwnedUserId, RoomVersionId, owned_device_id, owned_server_name};

/// A server without anything around it.
pub struct Bed {
    pub rooms: Rooms,
}

impl Bed {
    pub async fn new() -> Self {
        let random = Random::seeded(7);
        let keyspaces =
            [plop_accounts::schema::KEYSPACES, plop_state_store::KEYSPACES, plop_rooms::schema::KEYSPACES];
        let db = Db::memory(keyspaces.concat(), &random).expect("a database");
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
            server,
            key,
            clock,
            random,
            redaction_retention: Duration::from_secs(7 * 24 * 60 * 60),
        };
        Self { rooms: Rooms::open(core, 1 << 24).await.expect("rooms") }
    }

    /// The same database, with nothing of what was in memory.
    pub async fn restarted(&self) -> Self {
        Self::on(self.rooms.core().db.clone(), Random::seeded(8)).await
    }
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
