//! What lists are filtered by, in memory: the type of a room, and whether it is encrypted.
//!
//! Owns: a bounded cache of it, filled without opening a room. Does not own: when a room may have changed.
//!
//! Invariants: the type of a room never changes, and an encrypted room stays so: of such a room nothing is read again.

use std::sync::Arc;

use plop_db::{Db, Position, Snapshot};
use plop_rooms::schema::{Heads, RoomRecords, StrippedState};
use plop_rooms::{RoomView, Rooms, StoreFault, summary};
use plop_state::StateKey;
use plop_state_store::{Grove, RoomNumber};
use quick_cache::sync::Cache;
use ruma::{RoomVersionId, UserId};
use serde_json::Value;

/// Rooms that are remembered.
const CACHED: usize = 200_000;

const CREATE: &str = "m.room.create";
const ENCRYPTION: &str = "m.room.encryption";

/// What is known of a room.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoomFacts {
    pub room_type: Option<Arc<str>>,
    pub is_encrypted: bool,
}

impl RoomFacts {
    fn of(view: &RoomView) -> Self {
        Self {
            room_type: summary::room_type(view).map(Into::into),
            is_encrypted: view.kept_type(ENCRYPTION).is_some(),
        }
    }

    /// What stripped state says.
    fn of_stripped(events: &[String]) -> Self {
        let mut facts = Self::default();
        for event in events.iter().filter_map(|event| serde_json::from_str::<Value>(event).ok()) {
            match event["type"].as_str() {
                Some(CREATE) => facts.room_type = event["content"]["type"].as_str().map(Into::into),
                Some(ENCRYPTION) => facts.is_encrypted = true,
                _ => {}
            }
        }
        facts
    }
}

/// As of a position.
#[derive(Clone)]
struct Known {
    facts: RoomFacts,
    as_of: Position,
}

/// The facts of rooms.
pub struct Facts {
    db: Db,
    rooms: Rooms,
    cache: Cache<RoomNumber, Known>,
}

impl Facts {
    pub fn new(rooms: Rooms) -> Self {
        Self { db: rooms.db().clone(), rooms, cache: Cache::new(CACHED) }
    }

    /// The facts of a room that changed last at `changed`.
    pub async fn of(&self, room: RoomNumber, changed: Position) -> Result<RoomFacts, StoreFault> {
        let known = self.cache.get(&room);
        if let Some(known) = &known
            && (known.facts.is_encrypted || known.as_of >= changed)
        {
            return Ok(known.facts.clone());
        }
        let snapshot = self.db.snapshot();
        let as_of = snapshot.position();
        let facts = match self.rooms.loaded_view(room) {
            Some(view) => RoomFacts::of(&view),
            None => self.read(&snapshot, room).await?,
        };
        self.cache.insert(room, Known { facts: facts.clone(), as_of });
        Ok(facts)
    }

    /// The facts of a room that a user is outside of.
    pub async fn outside(
        &self,
        user: &UserId,
        room: RoomNumber,
        changed: Position,
    ) -> Result<RoomFacts, StoreFault> {
        let key = (user.to_owned(), room);
        match self.db.snapshot().get::<StrippedState>(&key).await? {
            Some(row) => Ok(RoomFacts::of_stripped(&row.events)),
            None => self.of(room, changed).await,
        }
    }

    /// From two entries of the current state.
    async fn read(&self, snapshot: &Snapshot, room: RoomNumber) -> Result<RoomFacts, StoreFault> {
        let record = snapshot.get::<RoomRecords>(&room).await?;
        let rules = record.and_then(|record| {
            let version = RoomVersionId::try_from(record.version).ok()?;
            plop_state::rules(&version)
        });
        let head = snapshot.get::<Heads>(&room).await?;
        let (Some(rules), Some(head)) = (rules, head) else { return Ok(RoomFacts::default()) };
        let grove = Grove { room, generation: head.generation };
        let keys = [StateKey::new(CREATE, ""), StateKey::new(ENCRYPTION, "")];
        let found = self.rooms.states().get_many(snapshot, grove, head.root, &keys).await?;
        let mut found = found.into_iter();
        let create = found.next().flatten();
        let is_encrypted = found.next().flatten().is_some();
        let room_type = match create {
            Some(create) => {
                let create = self.rooms.events().get(snapshot, room, rules, create).await?;
                let content = create.pdu.content_object();
                content.get("type").and_then(plop_state::json::Value::as_str).map(Into::into)
            }
            None => None,
        };
        Ok(RoomFacts { room_type, is_encrypted })
    }
}
