//! Reads back what was acknowledged, after a restart.
//!
//! Each [`Violation`] is a promise that the server broke. A request that fails here is one too: the server that has
//! just recovered must answer.

mod devices;
mod files;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::client::{Room, Session, login, parse, segment};
use crate::crash::facts::{Facts, Record};
use crate::crash::values::{Cell, CellKind};
use crate::crash::workload::{KIND, membership, session};
use crate::http::{Connection, Failure, Target};

/// A broken promise, in words.
pub type Violation = String;

/// Of the acknowledged messages of a cycle, every so many is sent again.
const REPEATED: usize = 10;
/// Events in one page of history.
const PAGE: u32 = 500;

/// Checks against one server.
pub struct Checker<'a> {
    target: &'a Target,
    facts: &'a mut Facts,
    sessions: BTreeMap<String, Session>,
    pub violations: Vec<Violation>,
    /// What became of messages in doubt: to be journalled.
    pub resolved: Vec<Record>,
}

impl<'a> Checker<'a> {
    pub fn new(target: &'a Target, facts: &'a mut Facts) -> Self {
        Self { target, facts, sessions: BTreeMap::new(), violations: Vec::new(), resolved: Vec::new() }
    }

    /// Checks what one cycle's records say.
    pub async fn cycle(&mut self, records: &[Record]) {
        self.repeat(records).await;
        self.repeat_to_devices(records).await;
        self.search(records).await;
        let (mut keys, mut inboxes) = (BTreeSet::new(), BTreeSet::new());
        let (mut rooms, mut files) = (BTreeSet::new(), BTreeSet::new());
        let mut cells = BTreeSet::new();
        let mut new_accounts = Vec::new();
        for record in records {
            match record {
                Record::Account { user_id, .. } => new_accounts.push(user_id.clone()),
                Record::Room { id, .. } => drop(rooms.insert(id.clone())),
                Record::RoomInDoubt { creator } => self.all_or_nothing(&creator.clone()).await,
                Record::Event { room, .. } => drop(rooms.insert(room.clone())),
                Record::Value { cell, .. } => drop(cells.insert(cell.clone())),
                Record::KeysUploaded { user_id, .. } | Record::KeyClaimed { user_id, .. } => {
                    keys.insert(user_id.clone());
                }
                Record::ToDevice { to, .. } => drop(inboxes.insert(to.clone())),
                Record::File { name, .. } | Record::Announced { name, .. } => files.extend(name.clone()),
            }
        }
        for room in &rooms {
            self.history(room, false).await;
        }
        self.cells(&cells).await;
        self.devices(&keys, &inboxes).await;
        for name in &files {
            self.file(name).await;
        }
        for user_id in &new_accounts {
            self.token(user_id).await;
        }
        if let Some(user_id) = new_accounts.last() {
            self.password(user_id).await;
        }
    }

    /// Checks everything since the beginning.
    pub async fn everything(&mut self) {
        let rooms: Vec<_> = self.facts.rooms.iter().map(|room| room.id.clone()).collect();
        for room in &rooms {
            self.history(room, true).await;
        }
        let cells = self.facts.values.cells().cloned().collect();
        self.cells(&cells).await;
        let inboxes = self.facts.devices.recipients().into_iter().collect();
        let users: Vec<_> = self.facts.accounts.iter().map(|account| account.user_id.clone()).collect();
        self.devices(&users.iter().cloned().collect(), &inboxes).await;
        for user_id in &users {
            self.token(user_id).await;
        }
        let files: Vec<_> = self.facts.files.names().cloned().collect();
        for name in &files {
            self.file(name).await;
        }
    }

    /// Sends again, with the same transaction id, what got no answer and some of what was acknowledged. The answer must
    /// be the event of the first time, and `history` sees whether there is a second one.
    async fn repeat(&mut self, records: &[Record]) {
        let mut acknowledged = 0;
        for record in records {
            let Record::Event { room, sender, marker, event_id } = record else { continue };
            if event_id.is_some() {
                acknowledged += 1;
                let member = self.facts.values.value(&membership(sender, room)) == Some("join");
                if acknowledged % REPEATED != 0 || !member {
                    continue;
                }
            }
            let Some(session) = self.session(sender) else { continue };
            match (session.send(&Room::new(room.clone()), marker, marker).await, event_id) {
                (Ok(now), Some(then)) if now != *then => {
                    self.violations.push(format!("{marker} was {then} and became {now} when sent again"));
                }
                (Ok(_), Some(_)) => {}
                (Ok(now), None) => {
                    let (room, sender, marker) = (room.clone(), sender.clone(), marker.clone());
                    let record = Record::Event { room, sender, marker, event_id: Some(now) };
                    self.facts.apply(&record);
                    self.resolved.push(record);
                }
                (Err(error), _) => self.violations.push(format!("{marker} cannot be sent again: {error}")),
            }
        }
    }

    /// The last acknowledged message is found by its words.
    async fn search(&mut self, records: &[Record]) {
        for record in records.iter().rev() {
            let Record::Event { room, sender, marker, event_id: Some(_) } = record else { continue };
            if self.facts.values.value(&membership(sender, room)) != Some("join") {
                continue;
            }
            let Some(session) = self.session(sender) else { continue };
            match session.search(marker).await {
                Ok(0) => self.violations.push(format!("{marker} is not found by its words")),
                Ok(_) => {}
                // A server without a search has nothing to lose.
                Err(Failure::Refused { errcode, .. }) if errcode == "M_UNRECOGNIZED" => {}
                Err(error) => self.violations.push(format!("search of {sender}: {error}")),
            }
            return;
        }
    }

    /// Reads a room's history backwards, to its beginning or to what the last check has seen.
    async fn history(&mut self, room_id: &str, whole: bool) {
        let Some(room) = self.facts.room(room_id).cloned() else { return };
        let until = if whole { None } else { room.checked_through.as_deref() };
        let seen = match self.session(&room.creator) {
            Some(reader) => read_back(reader, &Room::new(room.id.clone()), until).await,
            None => return,
        };
        let seen = match seen {
            Ok(seen) => seen,
            Err(error) => return self.violations.push(format!("history of {room_id}: {error}")),
        };
        self.violations.extend(self.facts.judge(&room, &seen.messages, whole));
        if let Some(room) = self.facts.room_mut(room_id) {
            room.seen.extend(seen.messages.into_keys());
            room.checked_through = seen.newest.or(room.checked_through.take());
        }
    }

    async fn cells(&mut self, cells: &BTreeSet<Cell>) {
        // Memberships first: whether a receipt can be seen depends on them. (The kinds are in that order.)
        let mut receipts = BTreeMap::new();
        for cell in cells.iter().filter(|cell| cell.kind != CellKind::Receipt) {
            match self.read(cell).await {
                Ok(value) => self.settle(cell, value),
                Err(error) => self.violations.push(format!("{cell:?}: {error}")),
            }
        }
        for cell in cells.iter().filter(|cell| cell.kind == CellKind::Receipt) {
            let Some(room) = &cell.room else { continue };
            if self.facts.values.value(&membership(&cell.user_id, room)) != Some("join") {
                continue;
            }
            if !receipts.contains_key(&cell.user_id) {
                let Some(session) = self.session(&cell.user_id) else { continue };
                match read_receipts(session).await {
                    Ok(read) => drop(receipts.insert(cell.user_id.clone(), read)),
                    Err(error) => {
                        self.violations.push(format!("/sync of {}: {error}", cell.user_id));
                        continue;
                    }
                }
            }
            let read = receipts.get(&cell.user_id).and_then(|rooms| rooms.get(room)).cloned();
            self.settle(cell, read);
        }
    }

    fn settle(&mut self, cell: &Cell, read: Option<String>) {
        if let Err(violation) = self.facts.values.settle(cell, read) {
            self.violations.push(violation);
        }
    }

    /// What a cell (other than a receipt) holds; None when there is nothing.
    async fn read(&mut self, cell: &Cell) -> Result<Option<String>, Failure> {
        let room = cell.room.clone().map(Room::new);
        let creator =
            cell.room.as_ref().and_then(|room| self.facts.room(room)).map(|room| room.creator.clone());
        let reader = creator.as_ref().unwrap_or(&cell.user_id).clone();
        let gone = || Failure::Unexpected("no reader".to_owned());
        let session = self.session(&reader).ok_or_else(gone)?;
        let (content, field) = match (cell.kind, room) {
            (CellKind::State, Some(room)) => (session.state(&room, KIND, &cell.user_id).await, "value"),
            (CellKind::Membership, Some(room)) => {
                (session.state(&room, "m.room.member", &cell.user_id).await, "membership")
            }
            (CellKind::Backup, _) => return self.backup(&reader).await,
            _ => (session.account_data(KIND).await, "value"),
        };
        match content {
            Ok(content) => Ok(content[field].as_str().map(str::to_owned)),
            Err(Failure::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Rooms of a user whose createRoom got no answer: each is there as a whole or not at all.
    async fn all_or_nothing(&mut self, creator: &str) {
        let Some(session) = self.session(creator) else { return };
        let rooms = match session.joined_rooms().await {
            Ok(rooms) => rooms,
            Err(error) => return self.violations.push(format!("joined_rooms of {creator}: {error}")),
        };
        for id in rooms {
            if self.facts.room(&id).is_some() {
                continue;
            }
            let Some(session) = self.session(creator) else { return };
            // The last events of a room that is made with a preset and a name.
            for kind in ["m.room.create", "m.room.power_levels", "m.room.join_rules", "m.room.name"] {
                if let Err(error) = session.state(&Room::new(id.clone()), kind, "").await {
                    self.violations.push(format!("{id} was made in part, without {kind}: {error}"));
                    break;
                }
            }
        }
    }

    async fn token(&mut self, user_id: &str) {
        let Some(session) = self.session(user_id) else { return };
        match session.whoami().await {
            Ok(who) if who == user_id => {}
            Ok(who) => self.violations.push(format!("the token of {user_id} became that of {who}")),
            Err(error) => self.violations.push(format!("the token of {user_id} is lost: {error}")),
        }
    }

    async fn password(&mut self, user_id: &str) {
        let Some(account) = self.facts.account(user_id) else { return };
        let mut connection = Connection::new(self.target);
        if let Err(error) = login(&mut connection, user_id, &account.password).await {
            self.violations.push(format!("{user_id} cannot log in: {error}"));
        }
    }

    /// The session of a known user.
    fn session(&mut self, user_id: &str) -> Option<&mut Session> {
        if !self.sessions.contains_key(user_id) {
            let account = self.facts.account(user_id)?;
            self.sessions.insert(user_id.to_owned(), session(self.target, account));
        }
        self.sessions.get_mut(user_id)
    }
}

/// What a walk through a room's history saw.
#[derive(Debug, Default)]
struct Seen {
    /// Event ids by text.
    messages: BTreeMap<String, Vec<String>>,
    /// The first event of the walk.
    newest: Option<String>,
}

async fn read_back(reader: &mut Session, room: &Room, until: Option<&str>) -> Result<Seen, Failure> {
    let mut seen = Seen::default();
    let mut from = None;
    loop {
        let page = reader.messages_back(room, from.as_deref(), PAGE).await?;
        for event in &page.chunk {
            let Some(id) = event["event_id"].as_str() else { continue };
            if Some(id) == until {
                return Ok(seen);
            }
            seen.newest.get_or_insert_with(|| id.to_owned());
            if let Some(text) = event["content"]["body"].as_str() {
                seen.messages.entry(text.to_owned()).or_default().push(id.to_owned());
            }
        }
        match page.end {
            Some(end) if Some(&end) != from.as_ref() => from = Some(end),
            _ => return Ok(seen),
        }
    }
}

/// The event of the user's own read receipt in each joined room.
async fn read_receipts(session: &mut Session) -> Result<BTreeMap<String, String>, Failure> {
    let filter = r#"{"presence":{"types":[]},"room":{"timeline":{"limit":1},"state":{"types":[]}}}"#;
    let answer: Value = parse(&session.get(&format!("/sync?timeout=0&filter={}", segment(filter))).await?)?;
    let mut receipts = BTreeMap::new();
    for (room, joined) in answer["rooms"]["join"].as_object().into_iter().flatten() {
        let events = joined["ephemeral"]["events"].as_array().into_iter().flatten();
        for event in events.filter(|event| event["type"] == "m.receipt") {
            for (event_id, kinds) in event["content"].as_object().into_iter().flatten() {
                if kinds["m.read"].get(&session.account.user_id).is_some() {
                    receipts.insert(room.clone(), event_id.clone());
                }
            }
        }
    }
    Ok(receipts)
}
