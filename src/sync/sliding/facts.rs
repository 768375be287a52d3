//! What lists are filtered by, in memory: the type of a room, and whether it is encrypted.
//!
//! Owns: a bounded cache of it, filled without opening a room; reading the same, and who invites, from what an invite shows. Does not own: when a room may
//! have changed.
//!
//! Invariants: the type of a room never changes, and an encrypted room stays so: of such a room nothing is read again.

use std::sync::Arc;

use plop_db::{Db, Position, ReadError, Snapshot};
use plop_rooms::schema::{Heads, RoomRecords, StrippedState};
use plop_rooms::{RoomView, Rooms, StoreFault, summary};
use plop_state::{Rules, StateKey};
use plop_state_store::{Grove, RoomNumber};
use ruma::{OwnedUserId, RoomVersionId, UserId};
use serde_json::Value;

use crate::as_of::AsOf;
use crate::memberships::UserRoom;
use crate::outside;

/// Bytes of what is remembered of rooms, about, and those of most rooms: what has no type.
const CACHE_BYTES: u64 = 16 << 20;
const ROOM_BYTES: u64 = 96;

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

/// The rules of a room's version; `None` for a room that is not known, or of an unknown version.
pub async fn rules(snapshot: &Snapshot, room: RoomNumber) -> Result<Option<&'static Rules>, ReadError> {
    let record = snapshot.get::<RoomRecords>(&room).await?;
    let version = record.and_then(|record| RoomVersionId::try_from(record.version).ok());
    Ok(version.and_then(|version| plop_state::rules(&version)))
}

/// The facts of rooms.
pub struct Facts {
    db: Db,
    rooms: Rooms,
    known: AsOf<RoomNumber, RoomFacts>,
}

impl Facts {
    pub fn new(rooms: Rooms) -> Self {
        let weigh =
            |facts: &RoomFacts| ROOM_BYTES + facts.room_type.as_ref().map_or(0, |kind| kind.len() as u64);
        Self { db: rooms.db().clone(), rooms, known: AsOf::new(CACHE_BYTES, ROOM_BYTES, weigh) }
    }

    /// The facts of a room that changed last at `changed`.
    pub async fn of(&self, room: RoomNumber, changed: Position) -> Result<RoomFacts, StoreFault> {
        let known = self.known.known(&room);
        if let Some((_, facts)) = known.filter(|(as_of, facts)| facts.is_encrypted || *as_of >= changed) {
            return Ok(facts);
        }
        let snapshot = self.db.snapshot();
        let facts = match self.rooms.loaded_view(room) {
            Some(view) => RoomFacts::of(&view),
            None => self.read(&snapshot, room).await?,
        };
        self.known.insert(room, snapshot.position(), facts.clone());
        Ok(facts)
    }

    /// The facts of a room that a user is outside of, and who invited them, if that can be said.
    pub async fn outside(
        &self,
        snapshot: &Snapshot,
        user: &UserId,
        room: RoomNumber,
        row: UserRoom,
    ) -> Result<(RoomFacts, Option<OwnedUserId>), StoreFault> {
        if let Some(shown) = snapshot.get::<StrippedState>(&(user.to_owned(), room)).await? {
            return Ok((RoomFacts::of_stripped(&shown.events), outside::inviter(&shown.events, user)));
        }
        let facts = self.of(room, row.position).await?;
        let inviter = match (rules(snapshot, room).await?, row.event) {
            (Some(rules), Some(event)) => {
                let event = self.rooms.events().get(snapshot, room, rules, event).await?;
                Some(event.pdu.sender().to_owned())
            }
            _ => None,
        };
        Ok((facts, inviter))
    }

    /// From two entries of the current state.
    async fn read(&self, snapshot: &Snapshot, room: RoomNumber) -> Result<RoomFacts, StoreFault> {
        let rules = rules(snapshot, room).await?;
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
