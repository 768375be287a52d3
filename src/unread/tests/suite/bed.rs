//! What the tests count in: a server with one room.

use std::ops::Deref;

use plop_accounts::Accounts;
use plop_base::Actor;
use plop_bed::{Ground, account, parameters};
pub use plop_bed::{id, user};
use plop_bed_rooms::{RoomBed, public_room};
use plop_db::{KeyspaceInfo, Snapshot};
use plop_ephemeral::{NewReceipt, ReceiptKind, Receipts, Thread};
use plop_rooms::ops::send::{Redaction, Whose};
use plop_rooms::schema::Arrivals;
use plop_state::json::Object;
use plop_unread::{Counts, NotifiedUser, RoomCounts, Unread};
use ruma::{EventId, OwnedEventId, OwnedRoomId, OwnedUserId, RoomVersionId};
use serde_json::{Value, json};

/// Bytes for what is remembered of users with rules of their own.
pub const CACHE: u64 = 16 << 20;

/// A server with a room of alice's, who has power 100.
pub struct Bed {
    pub accounts: Accounts,
    pub receipts: Receipts,
    pub unread: Unread,
    pub room: OwnedRoomId,
    bed: RoomBed,
}

/// The rooms, and what is beside them.
impl Deref for Bed {
    type Target = RoomBed;

    fn deref(&self) -> &RoomBed {
        &self.bed
    }
}

impl Bed {
    /// With these users, of whom the first, alice, makes the room and the others join it.
    pub async fn new(users: &[&str]) -> Self {
        Self::on(Ground::new(keyspaces(), 7), users).await
    }

    pub async fn on(ground: Ground, users: &[&str]) -> Self {
        let accounts = plop_bed::accounts(&ground, parameters());
        for name in users {
            let registered = accounts.create_account(&Actor::Server, account(name, None), false).await;
            registered.expect("an account");
        }
        let bed = RoomBed::on(ground).await;
        let creator = users.first().expect("a user");
        let room = bed.rooms.create(&user(creator), &public_room(RoomVersionId::V12)).await.expect("a room");
        for name in users.iter().skip(1) {
            bed.join(name, &room).await;
        }
        Self::of(bed, accounts, room)
    }

    fn of(bed: RoomBed, accounts: Accounts, room: OwnedRoomId) -> Self {
        let (receipts, unread) = (Receipts::new(bed.db.clone()), Unread::new(bed.rooms.clone(), CACHE));
        Self { accounts, receipts, unread, room, bed }
    }

    /// The same database, with nothing of what was in memory.
    pub async fn restarted(self) -> Self {
        Self::of(self.bed.restarted().await, self.accounts, self.room)
    }

    pub async fn join(&self, name: &str) {
        self.bed.join(name, &self.room).await;
    }

    pub async fn leave(&self, name: &str) {
        self.bed.leave(name, &self.room).await;
    }

    /// Sends an event of any type.
    pub async fn send_event(&self, name: &str, kind: &str, content: Value) -> OwnedEventId {
        let is_state = ["m.room.tombstone", "m.room.topic", "m.room.power_levels"].contains(&kind);
        self.send(name, &self.room, kind, is_state.then_some(""), object(&content)).await
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
        let view = self.rooms.view_by_id(&self.room).await.expect("the room");
        let snapshot = self.db.snapshot();
        let number = self.rooms.events().number(&snapshot, view.number, event).await.expect("a read");
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

    pub async fn reader(&self, snapshot: &Snapshot, name: &str) -> NotifiedUser {
        self.unread.notified_user(snapshot, &id(name)).await.expect("rules")
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

pub fn keyspaces() -> Vec<KeyspaceInfo> {
    [plop_bed_rooms::keyspaces(), plop_ephemeral::schema::KEYSPACES.to_vec()].concat()
}

pub fn object(content: &Value) -> Object {
    plop_bed::json(&content.to_string())
}
