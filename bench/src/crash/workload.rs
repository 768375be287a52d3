//! The mixed load: workers that each use an account of their own, until the server is gone.
//!
//! Everything that a worker asks for becomes a [`Record`], unless the server refused it. The first request without an
//! answer ends a worker, so each worker has at most one request in doubt.

mod devices;
mod files;

use std::collections::BTreeMap;
use std::rc::Rc;

use hyper::header::HeaderValue;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;

use crate::client::{Account, Registration, Room, Session, register};
use crate::crash::facts::{Facts, KnownAccount, KnownRoom, Record};
use crate::crash::values::{Cell, CellKind};
use crate::http::{Connection, Failure, Target};

pub use devices::{BACKUP_ROOM, BACKUP_SESSION};

/// The type of the state events and of the account data that the driver writes.
pub const KIND: &str = "org.example.crash";
/// A worker whose requests are refused so often ends: something is wrong that more requests do not mend.
const MOST_REFUSALS: usize = 100;

/// One user's session and what the worker knows about its rooms.
#[derive(Debug)]
pub struct Worker {
    session: Session,
    registering: Connection,
    registration: Registration,
    random: StdRng,
    rooms: Vec<WorkRoom>,
    /// Users and their devices, whose keys are claimed and who get messages.
    pub peers: Vec<(String, String)>,
    /// The prefix of markers and names.
    prefix: String,
    count: u64,
    pub records: Vec<Record>,
    /// Failures that were answers.
    pub refused: BTreeMap<String, u64>,
}

/// A room as one worker sees it.
#[derive(Debug)]
struct WorkRoom {
    room: Room,
    joined: bool,
    /// Whether the user created it and so must not leave it.
    own: bool,
    /// The newest message of this worker in this cycle.
    newest: Option<String>,
}

/// What a worker does next.
#[derive(Clone, Copy, Debug)]
enum Step {
    Send,
    State,
    Receipt,
    Search,
    AccountData,
    Membership,
    Typing,
    Register,
    CreateRoom,
    UploadKeys,
    ClaimKey,
    ToDevice,
    BackUp,
    Upload,
    UploadLater,
}

/// Steps with the percentage in which they are taken.
const MIX: &[(u32, Step)] = &[
    (32, Step::Send),
    (10, Step::State),
    (8, Step::Receipt),
    (2, Step::Search),
    (6, Step::AccountData),
    (7, Step::Membership),
    (4, Step::Typing),
    (3, Step::Register),
    (1, Step::CreateRoom),
    (4, Step::UploadKeys),
    (7, Step::ClaimKey),
    (7, Step::ToDevice),
    (3, Step::BackUp),
    (3, Step::Upload),
    (3, Step::UploadLater),
];

/// A logged-in session of a known account.
pub fn session(target: &Target, account: &KnownAccount) -> Session {
    // The token was a header's value when it was recorded.
    let token = HeaderValue::from_str(&account.token).unwrap_or(HeaderValue::from_static(""));
    let KnownAccount { user_id, device_id, password, .. } = account.clone();
    Session::new(target, Rc::new(Account { user_id, device_id, password, token }))
}

impl Worker {
    /// A worker that uses `account` in these rooms.
    pub fn new(
        target: &Target,
        registration: &Registration,
        facts: &Facts,
        account: &KnownAccount,
        rooms: &[&KnownRoom],
        prefix: String,
        seed: u64,
    ) -> Self {
        let rooms = rooms.iter().map(|room| WorkRoom {
            room: Room::new(room.id.clone()),
            joined: facts.values.value(&membership(&account.user_id, &room.id)) == Some("join"),
            own: room.creator == account.user_id,
            newest: None,
        });
        Self {
            session: session(target, account),
            registering: Connection::new(target),
            registration: registration.clone(),
            random: StdRng::seed_from_u64(seed),
            rooms: rooms.collect(),
            peers: Vec::new(),
            prefix,
            count: 0,
            records: Vec::new(),
            refused: BTreeMap::new(),
        }
    }

    /// Works until a request gets no answer, or `stop` says so.
    pub async fn work(&mut self, stop: impl Fn() -> bool) {
        let mut refusals = 0;
        while !stop() && refusals < MOST_REFUSALS {
            match self.step().await {
                Ok(()) => {}
                Err(Failure::Broken(_)) => return,
                Err(refusal) => {
                    refusals += 1;
                    *self.refused.entry(refusal.to_string()).or_default() += 1;
                }
            }
        }
    }

    async fn step(&mut self) -> Result<(), Failure> {
        let mut dice = self.random.random_range(0..100);
        let chosen = MIX.iter().find(|(percent, _)| {
            let hit = dice < *percent;
            dice = dice.saturating_sub(*percent);
            hit
        });
        let step = chosen.map_or(Step::Send, |(_, step)| *step);
        self.count += 1;
        let room =
            if self.rooms.is_empty() { None } else { Some(self.random.random_range(0..self.rooms.len())) };
        match (step, room) {
            (Step::AccountData, _) => self.account_data().await,
            (Step::Register, _) => self.register().await,
            (Step::UploadKeys, _) => self.upload_keys().await,
            (Step::ClaimKey, _) => self.claim_key().await,
            (Step::ToDevice, _) => self.send_to_device().await,
            (Step::BackUp, _) => self.back_up().await,
            (Step::Upload, _) => self.upload().await,
            (Step::UploadLater, _) => self.upload_later().await,
            (Step::CreateRoom, _) | (_, None) => self.create_room().await,
            (Step::Membership, Some(room)) => self.membership(room).await,
            (_, Some(room)) if !self.rooms[room].joined => self.membership(room).await,
            (Step::Send, Some(room)) => self.send(room).await,
            (Step::State, Some(room)) => self.state(room).await,
            (Step::Receipt, Some(room)) => self.receipt(room).await,
            // It may make a server write what it searches in.
            (Step::Search, Some(_)) => self.session.search(&self.prefix).await.map(drop),
            (Step::Typing, Some(room)) => {
                let typing = self.count.is_multiple_of(2);
                self.session.typing(&self.rooms[room].room, typing).await
            }
        }
    }

    /// A text that is sent only once in a run.
    fn marker(&self) -> String {
        format!("{}.{}", self.prefix, self.count)
    }

    async fn send(&mut self, room: usize) -> Result<(), Failure> {
        let marker = self.marker();
        let work = &mut self.rooms[room];
        let sent = self.session.send(&work.room, &marker, &marker).await;
        if let Some(event_id) = outcome(&sent) {
            work.newest = event_id.cloned().or(work.newest.take());
            self.records.push(Record::Event {
                room: work.room.id.clone(),
                sender: self.session.account.user_id.clone(),
                marker,
                event_id: event_id.cloned(),
            });
        }
        sent.map(drop)
    }

    async fn state(&mut self, room: usize) -> Result<(), Failure> {
        let value = self.marker();
        let room = self.rooms[room].room.clone();
        let key = self.session.account.user_id.clone();
        let set = self.session.set_state(&room, KIND, &key, &json!({"value": value})).await.map(drop);
        self.wrote(CellKind::State, Some(&room), value, set)
    }

    async fn receipt(&mut self, room: usize) -> Result<(), Failure> {
        let work = &self.rooms[room];
        let Some(event) = work.newest.clone() else { return self.send(room).await };
        let room = work.room.clone();
        let set = self.session.receipt(&room, &event).await;
        self.wrote(CellKind::Receipt, Some(&room), event, set)
    }

    async fn account_data(&mut self) -> Result<(), Failure> {
        let value = self.marker();
        let set = self.session.set_account_data(KIND, &json!({"value": value})).await;
        self.wrote(CellKind::AccountData, None, value, set)
    }

    /// Joins a room that the user is not in; leaves one that is another's; else sends.
    async fn membership(&mut self, room: usize) -> Result<(), Failure> {
        let WorkRoom { room: work, joined, own, .. } = &self.rooms[room];
        let (work, joined) = (work.clone(), *joined);
        if joined && *own {
            return self.send(room).await;
        }
        let (value, set) = if joined {
            ("leave", self.session.leave(&work).await)
        } else {
            ("join", self.session.join(&work).await)
        };
        if set.is_ok() {
            self.rooms[room].joined = !joined;
        }
        self.wrote(CellKind::Membership, Some(&work), value.to_owned(), set)
    }

    async fn register(&mut self) -> Result<(), Failure> {
        let name = self.marker();
        let made = register(&mut self.registering, &self.registration, &name).await?;
        self.records.push(account_record(&made));
        Ok(())
    }

    async fn create_room(&mut self) -> Result<(), Failure> {
        let creator = self.session.account.user_id.clone();
        let created = self.session.create_room(&room_body(&self.marker())).await;
        match outcome(&created) {
            Some(Some(room)) => self.records.extend(room_records(room, &creator)),
            Some(None) => self.records.push(Record::RoomInDoubt { creator }),
            None => {}
        }
        created.map(drop)
    }

    fn wrote(
        &mut self,
        kind: CellKind,
        room: Option<&Room>,
        value: String,
        result: Result<(), Failure>,
    ) -> Result<(), Failure> {
        if let Some(written) = outcome(&result) {
            let user_id = self.session.account.user_id.clone();
            let cell = Cell { kind, user_id, room: room.map(|room| room.id.clone()) };
            self.records.push(Record::Value { cell, value, acknowledged: written.is_some() });
        }
        result
    }
}

/// `Some(Some(_))` acknowledged, `Some(None)` in doubt, `None` refused.
fn outcome<T>(result: &Result<T, Failure>) -> Option<Option<&T>> {
    match result {
        Ok(value) => Some(Some(value)),
        Err(Failure::Broken(_)) => Some(None),
        Err(Failure::Refused { .. } | Failure::Unexpected(_)) => None,
    }
}

/// The membership of a user in a room.
pub fn membership(user_id: &str, room: &str) -> Cell {
    Cell { kind: CellKind::Membership, user_id: user_id.to_owned(), room: Some(room.to_owned()) }
}

/// What an account that was registered leaves to check.
pub fn account_record(account: &Account) -> Record {
    Record::Account {
        user_id: account.user_id.clone(),
        device_id: account.device_id.clone(),
        password: account.password.clone(),
        token: account.token.to_str().unwrap_or_default().to_owned(),
    }
}

/// What a room that was created leaves to check.
pub fn room_records(room: &Room, creator: &str) -> [Record; 2] {
    let joined =
        Record::Value { cell: membership(creator, &room.id), value: "join".to_owned(), acknowledged: true };
    [Record::Room { id: room.id.clone(), creator: creator.to_owned() }, joined]
}

/// A `createRoom` body: everybody may join and set state.
pub fn room_body(name: &str) -> serde_json::Value {
    json!({"preset": "public_chat", "name": name, "power_level_content_override": {"state_default": 0}})
}
