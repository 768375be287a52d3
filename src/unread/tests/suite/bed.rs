//! What the tests count in: a server with one room.

use std::time::Duration;

use plop_accounts::passwords::PasswordCost;
use plop_accounts::registration::NewAccount;
use plop_accounts::{Accounts, Parameters};
use plop_base::clock::{Clock, UnixMillis};
use plop_base::{Actor, Random};
use plop_db::{Db, KeyspaceInfo, Snapshot};
use plop_ephemeral::{NewReceipt, ReceiptKind, Receipts, Thread};
use plop_rooms::core::Core;
use plop_rooms::event_store::EventStore;
use plop_rooms::ops::create::{CreateRoom, Preset};
use plop_rooms::ops::send::{Redaction, SendEvent, Whose};
use plop_rooms::rooms::Rooms;
use plop_rooms::schema::Arrivals;
use plop_rooms::state_lists::StateLists;
use plop_state::json::{NumberRule, Object, parse_object};
use plop_state::sign::SigningKey;
use plop_state_store::{CacheBytes, StateStore};
use plop_unread::{Counts, Reader, RoomCounts, Unread};
use ruma::{
    EventId, OwnedEventId, OwnedRoomId, OwnedUserId, RoomVersionId, owned_device_id, owned_server_name,
};
use serde_json::{Value, json};

/// Bytes for what is remembered of users with rules of their own.
pub const CACHE: u64 = 16 << 20;

/// A server with a room of alice's, who has power 100.
pub struct Bed {
    pub db: Db,
    pub rooms: Rooms,
    pub accounts: Accounts,
    pub receipts: Receipts,
    pub unread: Unread,
    pub room: OwnedRoomId,
    clock: Clock,
}

impl Bed {
    /// With these users, of whom the first, alice, makes the room and the others join it.
    pub async fn new(users: &[&str]) -> Self {
        let random = Random::seeded(7);
        let db = Db::memory(keyspaces(), &random).expect("a database");
        Self::on(db, random, users).await
    }

    pub async fn on(db: Db, random: Random, users: &[&str]) -> Self {
        let clock = Clock::simulated(UnixMillis(1_700_000_000_000));
        let rooms = rooms(db.clone(), &clock, random.clone()).await;
        let server = owned_server_name!("plop.example");
        let accounts = Accounts::new(db.clone(), clock.clone(), random, server, parameters());
        let accounts = accounts.expect("accounts");
        let creator = users.first().expect("a user");
        let request = CreateRoom { preset: Preset::PublicChat, ..room_request() };
        for name in users {
            let account = NewAccount {
                username: Some((*name).to_owned()),
                password: Some("secret".into()),
                display_name: None,
                device: None,
            };
            accounts.create_account(&Actor::Server, account, false).await.expect("an account");
        }
        let room = rooms.create(&user(creator), &request).await.expect("a room");
        let (receipts, unread) = (Receipts::new(db.clone()), Unread::new(rooms.clone(), CACHE));
        let bed = Self { db, rooms, accounts, receipts, unread, room, clock };
        for name in users.iter().skip(1) {
            bed.join(name).await;
        }
        bed
    }

    /// The same database, with nothing of what was in memory.
    pub async fn restarted(self) -> Self {
        let Self { db, accounts, receipts, room, clock, .. } = self;
        let rooms = rooms(db.clone(), &clock, Random::seeded(8)).await;
        let unread = Unread::new(rooms.clone(), CACHE);
        Self { db, rooms, accounts, receipts, unread, room, clock }
    }

    pub async fn join(&self, name: &str) {
        self.rooms.join(&user(name), &self.room, &Object::new()).await.expect("a join");
    }

    pub async fn leave(&self, name: &str) {
        self.rooms.leave(&user(name), &self.room, &Object::new()).await.expect("a leave");
    }

    /// Sends an event of any type.
    pub async fn send_event(&self, name: &str, kind: &str, content: Value) -> OwnedEventId {
        let state_key =
            (["m.room.tombstone", "m.room.topic", "m.room.power_levels"].contains(&kind)).then(String::new);
        let content = object(&content);
        let event = SendEvent { kind: kind.to_owned(), state_key, content, transaction: None, ts: None };
        self.rooms.send(&user(name), &self.room, &event).await.expect("an event")
    }

    /// Sends a message to the main timeline.
    pub async fn say(&self, name: &str, text: &str) -> OwnedEventId {
        self.send_event(name, "m.room.message", json!({ "body": text, "msgtype": "m.text" })).await
    }

    /// Sends a message to a thread.
    pub async fn say_in(&self, name: &str, root: &EventId, text: &str) -> OwnedEventId {
        let relation = json!({"rel_type": "m.thread", "event_id": root});
        let content = json!({ "body": text, "msgtype": "m.text", "m.relates_to": relation });
        self.send_event(name, "m.room.message", content).await
    }

    /// Sends a message that mentions users.
    pub async fn mention(&self, name: &str, mentioned: &[&str]) -> OwnedEventId {
        let users: Vec<OwnedUserId> = mentioned.iter().map(|name| id(name)).collect();
        let content = json!({ "body": "hey", "msgtype": "m.text", "m.mentions": {"user_ids": users} });
        self.send_event(name, "m.room.message", content).await
    }

    pub async fn redact(&self, name: &str, event: &EventId) {
        let redaction = Redaction { reason: None, transaction: event.as_str(), whose: Whose::Any };
        self.rooms.redact(&user(name), &self.room, event, &redaction).await.expect("a redaction");
    }

    /// Reads up to an event.
    pub async fn read(&self, name: &str, event: &EventId, kind: ReceiptKind, thread: Thread) {
        let core = self.rooms.core();
        let view = self.rooms.view_by_id(&self.room).await.expect("the room");
        let snapshot = self.db.snapshot();
        let number = core.events.number(&snapshot, view.number, event).await.expect("a read");
        let number = number.expect("the event");
        let arrival = snapshot.get::<Arrivals>(&(view.number, number)).await.expect("a read");
        let arrival = arrival.expect("a live event");
        let (event_id, at) = (event.to_owned(), self.clock.now());
        let receipt = NewReceipt { kind, thread, event: number, event_id, arrival, at };
        self.receipts.set(&user(name), view.number, &id(name), &[receipt]).await.expect("a receipt");
    }

    /// Reads the whole room up to an event.
    pub async fn read_all(&self, name: &str, event: &EventId) {
        self.read(name, event, ReceiptKind::Public, Thread::Unthreaded).await;
    }

    pub async fn reader(&self, snapshot: &Snapshot, name: &str) -> Reader {
        self.unread.reader(snapshot, &id(name)).await.expect("rules")
    }

    /// Notifications and highlights of a user now.
    pub async fn counts(&self, name: &str) -> (u64, u64) {
        let snapshot = self.db.snapshot();
        let view = self.rooms.view_by_id(&self.room).await.expect("the room");
        let reader = self.reader(&snapshot, name).await;
        let counts = self.unread.counts(&snapshot, &reader, &view, snapshot.position()).await;
        pair(counts.expect("counts"))
    }

    /// The same by part.
    pub async fn parts(&self, name: &str) -> RoomCounts {
        let snapshot = self.db.snapshot();
        let view = self.rooms.view_by_id(&self.room).await.expect("the room");
        let reader = self.reader(&snapshot, name).await;
        let counts = self.unread.counts_by_thread(&snapshot, &reader, &view, snapshot.position()).await;
        counts.expect("counts")
    }
}

pub fn pair(counts: Counts) -> (u64, u64) {
    (counts.notification_count, counts.highlight_count)
}

async fn rooms(db: Db, clock: &Clock, random: Random) -> Rooms {
    let cache = CacheBytes { nodes: 1 << 20, links: 1 << 20 };
    let state = StateStore::open(&db, &random, cache).await.expect("a state store");
    let server = owned_server_name!("plop.example");
    let key = SigningKey::from_seed(server.clone(), "a", &[1; 32]).expect("a key");
    let core = Core {
        db,
        state,
        events: EventStore::new(1 << 20),
        state_lists: StateLists::default(),
        server,
        key,
        clock: clock.clone(),
        random,
        redaction_retention: Duration::from_secs(60),
    };
    Rooms::open(core, 1 << 24).await.expect("rooms")
}

/// Hashes that cost nothing.
fn parameters() -> Parameters {
    let passwords = PasswordCost { memory_kib: 8, iterations: 1, parallelism: 1, concurrent_hashes: 2 };
    Parameters { passwords, ..Parameters::default() }
}

pub fn keyspaces() -> Vec<KeyspaceInfo> {
    [
        plop_accounts::schema::KEYSPACES,
        plop_state_store::KEYSPACES,
        plop_rooms::schema::KEYSPACES,
        plop_ephemeral::schema::KEYSPACES,
    ]
    .concat()
}

pub fn user(name: &str) -> Actor {
    Actor::User { user: id(name), device: owned_device_id!("DEVICE") }
}

pub fn id(name: &str) -> OwnedUserId {
    OwnedUserId::try_from(format!("@{name}:plop.example")).expect("a user id")
}

pub fn object(content: &Value) -> Object {
    parse_object(content.to_string().as_bytes(), NumberRule::Strict).expect("an object")
}

fn room_request() -> CreateRoom {
    CreateRoom {
        version: RoomVersionId::V12,
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
