//! What the tests build servers with, and a client that syncs.

use std::sync::Arc;
use std::time::Duration;

use plop_accounts::account_data::Subject;
use plop_accounts::passwords::PasswordCost;
use plop_accounts::registration::NewAccount;
use plop_accounts::sessions::NewDevice;
use plop_accounts::{Accounts, Parameters};
use plop_base::{Actor, Clock, Random, TaskKind, Tasks, UnixMillis};
use plop_db::{Db, KeyspaceInfo};
use plop_e2ee::to_device::ToDevice;
use plop_ephemeral::{Presence, PresenceState, ProcessStart, Typing};
use plop_rooms::core::Core;
use plop_rooms::event_store::EventStore;
use plop_rooms::ops::create::{CreateRoom, Preset};
use plop_rooms::ops::send::SendEvent;
use plop_rooms::rooms::Rooms;
use plop_rooms::state_lists::StateLists;
use plop_state::json::{NumberRule, Object, parse_object};
use plop_state::sign::SigningKey;
use plop_state_store::{CacheBytes, StateStore};
use plop_sync::{Parts, SyncAnswer, SyncError, SyncRequest, Syncing};
use plop_unread::Unread;
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, RoomVersionId, owned_server_name};
use serde_json::Value;

/// A server as far as sync is concerned.
pub struct Bed {
    pub db: Db,
    pub clock: Clock,
    pub tasks: Tasks,
    pub rooms: Rooms,
    pub accounts: Accounts,
    pub typing: Arc<Typing>,
    pub presence: Arc<Presence>,
    pub to_device: ToDevice,
    pub sync: Syncing,
}

impl Bed {
    pub async fn new() -> Self {
        let random = Random::seeded(7);
        let db = Db::memory(keyspaces(), &random).expect("a database");
        Self::on(db, Clock::simulated(UnixMillis(1_700_000_000_000)), 7).await
    }

    /// The same database, with nothing of what was in memory.
    pub async fn restarted(&self) -> Self {
        Self::on(self.db.clone(), self.clock.clone(), 8).await
    }

    pub async fn on(db: Db, clock: Clock, seed: u64) -> Self {
        let random = Random::seeded(seed);
        let server = owned_server_name!("plop.example");
        let tasks = Tasks::new(clock.clone(), random.clone());
        let rooms = rooms(&db, &clock, &random).await;
        let passwords = PasswordCost { memory_kib: 8, iterations: 1, parallelism: 1, concurrent_hashes: 2 };
        let parameters = Parameters { passwords, ..Parameters::default() };
        let to_device = ToDevice::new(db.clone(), clock.clone(), server.clone());
        let accounts = Accounts::new(db.clone(), clock.clone(), random.clone(), server, parameters);
        let accounts = accounts.expect("accounts");
        let start = ProcessStart(random.u64());
        let typing = Arc::new(Typing::new(clock.clone(), start));
        let presence = Arc::new(Presence::new(db.clone(), clock.clone(), start));
        let sync = Syncing::new(Parts {
            db: db.clone(),
            clock: clock.clone(),
            tasks: tasks.clone(),
            rooms: rooms.clone(),
            accounts: accounts.clone(),
            typing: Arc::clone(&typing),
            presence: Arc::clone(&presence),
            to_device: to_device.clone(),
            unread: Unread::new(rooms.clone(), 1 << 20),
        });
        let follower = sync.clone();
        tasks.spawn(TaskKind::Follower, "sync", move || {
            let follower = follower.clone();
            async move { follower.run().await }
        });
        let follower = sync.clone();
        tasks.spawn(TaskKind::Follower, "sync of presence", move || {
            let follower = follower.clone();
            async move { follower.run_presence().await }
        });
        let timer = Arc::clone(&typing);
        tasks.spawn(TaskKind::Maintenance, "typing", move || {
            let timer = Arc::clone(&timer);
            async move {
                timer.run().await;
                Ok(())
            }
        });
        Self { db, clock, tasks, rooms, accounts, typing, presence, to_device, sync }
    }

    /// An account of this name, logged in on the device that its clients have.
    pub async fn register(&self, name: &str) {
        let device = NewDevice { id: Some("DEVICE".into()), ..NewDevice::default() };
        let account =
            NewAccount { username: Some(name.to_owned()), device: Some(device), ..NewAccount::default() };
        self.accounts.create_account(&Actor::Server, account, false).await.expect("an account");
    }

    /// A room of this user's that everybody may join.
    pub async fn room(&self, name: &str) -> OwnedRoomId {
        // Two rooms made alike in one millisecond would be one room in version 12.
        let tag = format!(r#"{{"org.example.tag":"{}"}}"#, self.rooms.core().random.token(8));
        let request = CreateRoom { creation_content: json(&tag), ..public_room() };
        self.rooms.create(&user(name), &request).await.expect("a room")
    }

    pub async fn join(&self, name: &str, room: &RoomId) -> OwnedEventId {
        self.rooms.join(&user(name), room, &Object::new()).await.expect("a join")
    }

    pub async fn leave(&self, name: &str, room: &RoomId) -> OwnedEventId {
        self.rooms.leave(&user(name), room, &Object::new()).await.expect("a leave")
    }

    pub async fn say(&self, name: &str, room: &RoomId, text: &str) -> OwnedEventId {
        let content = json(&format!(r#"{{"msgtype":"m.text","body":"{text}"}}"#));
        self.send(name, room, "m.room.message", None, content).await
    }

    pub async fn set(&self, name: &str, room: &RoomId, kind: &str, content: &str) -> OwnedEventId {
        self.send(name, room, kind, Some(""), json(content)).await
    }

    pub async fn send(
        &self,
        name: &str,
        room: &RoomId,
        kind: &str,
        state_key: Option<&str>,
        content: Object,
    ) -> OwnedEventId {
        let event = SendEvent {
            kind: kind.to_owned(),
            state_key: state_key.map(ToOwned::to_owned),
            content,
            transaction: None,
            ts: None,
        };
        self.rooms.send(&user(name), room, &event).await.expect("an event")
    }

    pub async fn set_account_data(&self, name: &str, room: Option<&RoomId>, kind: &str, content: Object) {
        let content = plop_state::json::canonical(&content.into());
        let content = serde_json::from_str(&content).expect("an object");
        let subject = Subject { user: &id(name), room, kind };
        self.accounts.set_account_data(&user(name), &subject, &content).await.expect("account data");
    }

    /// A client of a user that has not synced yet.
    pub fn client(&self, name: &str) -> Client<'_> {
        Client { bed: self, actor: user(name), since: None, filter: None }
    }
}

async fn rooms(db: &Db, clock: &Clock, random: &Random) -> Rooms {
    let cache = CacheBytes { nodes: 1 << 20, links: 1 << 20 };
    let server = owned_server_name!("plop.example");
    let core = Core {
        db: db.clone(),
        state: StateStore::open(db, random, cache).await.expect("a state store"),
        events: EventStore::new(1 << 20),
        state_lists: StateLists::default(),
        key: SigningKey::from_seed(server.clone(), "a", &[1; 32]).expect("a key"),
        server,
        clock: clock.clone(),
        random: random.clone(),
        redaction_retention: Duration::from_secs(7 * 24 * 60 * 60),
    };
    Rooms::open(core, 1 << 24).await.expect("rooms")
}

/// A client that syncs, each time from where it came to.
#[derive(Clone)]
pub struct Client<'b> {
    pub bed: &'b Bed,
    pub actor: Actor,
    pub since: Option<String>,
    pub filter: Option<String>,
}

impl Client<'_> {
    /// What is new now. The user is not shown as present.
    pub async fn sync(&mut self) -> Value {
        self.wait(Duration::ZERO).await
    }

    /// What is new now or within this time. The user is not shown as present.
    pub async fn wait(&mut self, timeout: Duration) -> Value {
        let set_presence = PresenceState::Offline;
        self.sync_with(SyncRequest { timeout, set_presence, ..SyncRequest::default() }).await
    }

    pub async fn sync_with(&mut self, request: SyncRequest) -> Value {
        let answer = self.try_sync(request).await.expect("an answer");
        self.since = Some(answer["next_batch"].as_str().expect("a token").to_owned());
        answer
    }

    pub async fn try_sync(&self, request: SyncRequest) -> Result<Value, SyncError> {
        let mut answer: Value = serde_json::from_str(&self.text(request).await?).expect("JSON");
        leave_out_push_rules(&mut answer);
        Ok(answer)
    }

    /// The answer as it is written.
    pub async fn text(&self, request: SyncRequest) -> Result<String, SyncError> {
        let request = SyncRequest { since: self.since.clone(), filter: self.filter.clone(), ..request };
        Ok(text(self.bed.sync.sync(&self.actor, &request).await?).await)
    }
}

/// The whole text of an answer.
pub async fn text(mut answer: SyncAnswer) -> String {
    let mut text = String::new();
    while let Some(part) = answer.part().await.expect("a part") {
        text.push_str(&part);
    }
    assert!(answer.is_over());
    text
}

/// Every first answer has them; a test of their own looks at them.
fn leave_out_push_rules(answer: &mut Value) {
    let Some(events) = answer.pointer_mut("/account_data/events").and_then(Value::as_array_mut) else {
        return;
    };
    events.retain(|event| event["type"] != "m.push_rules");
    if events.is_empty() {
        answer.as_object_mut().expect("an object").remove("account_data");
    }
}

/// The keyspaces that a server needs for this.
pub fn keyspaces() -> Vec<KeyspaceInfo> {
    [
        plop_accounts::schema::KEYSPACES,
        plop_state_store::KEYSPACES,
        plop_rooms::schema::KEYSPACES,
        plop_ephemeral::schema::KEYSPACES,
        plop_e2ee::schema::KEYSPACES,
    ]
    .concat()
}

/// A logged-in user of the server.
pub fn user(name: &str) -> Actor {
    Actor::User { user: id(name), device: "DEVICE".into() }
}

pub fn id(name: &str) -> OwnedUserId {
    OwnedUserId::try_from(format!("@{name}:plop.example")).expect("a user id")
}

pub fn json(text: &str) -> Object {
    parse_object(text.as_bytes(), NumberRule::Strict).expect("an object")
}

/// A request for a room that everybody may join.
pub fn public_room() -> CreateRoom {
    CreateRoom { preset: Preset::PublicChat, ..private_room() }
}

/// A request for a private room.
pub fn private_room() -> CreateRoom {
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

/// The parts of an answer that are there.
pub fn keys(value: &Value) -> Vec<&str> {
    value.as_object().into_iter().flat_map(|object| object.keys()).map(String::as_str).collect()
}

/// The ids of events.
pub fn ids(events: &Value) -> Vec<&str> {
    let events = events.as_array().map(Vec::as_slice).unwrap_or_default();
    events.iter().map(|event| event["event_id"].as_str().expect("an id")).collect()
}

/// The bodies of messages, and the types of other events.
pub fn told(events: &Value) -> Vec<String> {
    let events = events.as_array().map(Vec::as_slice).unwrap_or_default();
    let word = |event: &Value| {
        let text = event["content"]["body"].as_str().or_else(|| event["type"].as_str());
        text.expect("a type").to_owned()
    };
    events.iter().map(word).collect()
}
