//! What tests build servers with that have rooms.
//!
//! Owns: [`RoomBed`], what its users do in rooms, requests for rooms. Does not own: names and the ground ([`plop_bed`]).

use std::ops::Deref;

use plop_bed::{Ground, id, json, server, user};
use plop_db::KeyspaceInfo;
use plop_rooms::ops::create::{CreateRoom, Preset};
use plop_rooms::ops::send::SendEvent;
use plop_rooms::{InviteRates, RoomParameters, Rooms};
use plop_state::json::Object;
use plop_state::sign::SigningKey;
use plop_state_store::{CacheBytes, StateStore};
use ruma::{OwnedEventId, OwnedRoomId, RoomId, RoomVersionId, ServerName};

/// A server that has rooms and nothing else. Its users need no accounts.
pub struct RoomBed {
    pub ground: Ground,
    pub rooms: Rooms,
}

/// What is beside the rooms.
impl Deref for RoomBed {
    type Target = Ground;

    fn deref(&self) -> &Ground {
        &self.ground
    }
}

impl RoomBed {
    pub async fn new() -> Self {
        Self::on(Ground::new(keyspaces(), 7)).await
    }

    pub async fn on(ground: Ground) -> Self {
        Self::limited(ground, InviteRates::default()).await
    }

    /// The same where there may be as many invitations.
    pub async fn limited(ground: Ground, invites: InviteRates) -> Self {
        let parameters = RoomParameters { invites, ..RoomParameters::default() };
        let rooms = rooms_with(&ground, key(&server(), 1), &parameters).await;
        Self { ground, rooms }
    }

    /// The same database, with nothing of what was in memory.
    pub async fn restarted(&self) -> Self {
        Self::on(self.ground.restarted()).await
    }

    /// A room of this user's that everybody may join.
    pub async fn room(&self, name: &str) -> OwnedRoomId {
        self.room_of_version(name, RoomVersionId::V12).await
    }

    /// The same in another version.
    pub async fn room_of_version(&self, name: &str, version: RoomVersionId) -> OwnedRoomId {
        // Two rooms made alike in one millisecond would be one room in version 12.
        let tag = format!(r#"{{"org.example.tag":"{}"}}"#, self.random.token(8));
        let request = CreateRoom { creation_content: json(&tag), ..public_room(version) };
        self.rooms.create(&user(name), &request).await.expect("a room")
    }

    pub async fn join(&self, name: &str, room: &RoomId) -> OwnedEventId {
        self.rooms.join(&user(name), room, &Object::new()).await.expect("a join")
    }

    pub async fn leave(&self, name: &str, room: &RoomId) -> OwnedEventId {
        self.rooms.leave(&user(name), room, &Object::new()).await.expect("a leave")
    }

    /// Sends a text, which needs no escapes in JSON.
    pub async fn say(&self, name: &str, room: &RoomId, text: &str) -> OwnedEventId {
        let content = json(&format!(r#"{{"msgtype":"m.text","body":"{text}"}}"#));
        self.send(name, room, "m.room.message", None, content).await
    }

    /// Sets a state event with the empty state key.
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
}

/// The rooms of the server that has this key.
pub async fn rooms(ground: &Ground, key: SigningKey) -> Rooms {
    rooms_with(ground, key, &RoomParameters::default()).await
}

async fn rooms_with(ground: &Ground, key: SigningKey, parameters: &RoomParameters) -> Rooms {
    let Ground { db, clock, random } = ground.clone();
    let cache = CacheBytes { nodes: 1 << 20, links: 1 << 20 };
    let state = StateStore::open(&db, &random, cache).await.expect("a state store");
    let parameters = RoomParameters { notices_user: Some(id("server")), ..parameters.clone() };
    Rooms::open(db, state, key, clock, random, &parameters).await.expect("rooms")
}

/// A signing key; the number makes it.
pub fn key(server: &ServerName, number: u8) -> SigningKey {
    SigningKey::from_seed(server.to_owned(), "a", &[number; 32]).expect("a key")
}

/// The keyspaces that rooms need.
pub fn keyspaces() -> Vec<KeyspaceInfo> {
    [plop_accounts::schema::KEYSPACES, plop_state_store::KEYSPACES, plop_rooms::schema::KEYSPACES].concat()
}

/// A request for a room that everybody may join.
pub fn public_room(version: RoomVersionId) -> CreateRoom {
    CreateRoom { preset: Preset::PublicChat, ..private_room(version) }
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
