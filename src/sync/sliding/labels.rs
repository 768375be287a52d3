//! What a user says of rooms in their account data: which are direct chats, which have which tags.
//!
//! Owns: bounded caches of it. Does not own: the rows.
//!
//! Invariants: no older than the last change that was acknowledged before it is asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plop_accounts::schema::AccountData;
use plop_db::{Db, Position, ReadError};
use plop_rooms::schema::RoomIds;
use plop_state_store::RoomNumber;
use quick_cache::sync::Cache;
use ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId};
use serde_json::{Map, Value};

use crate::changes::SharedChanges;

/// The type of account data that names direct chats.
const DIRECT: &str = "m.direct";
/// The type of account data that has the tags of a room.
const TAGS: &str = "m.tag";

/// Users that are remembered.
const CACHED: usize = 10_000;
/// Direct chats that are looked at: account data is limited, so there are not many more.
const MAX_DIRECT: usize = 10_000;

/// Something as of a position.
struct Known<T> {
    as_of: Position,
    value: Arc<T>,
}

type Cached<T> = Cache<OwnedUserId, Arc<Known<T>>>;

/// The labels of users' rooms.
pub struct Labels {
    db: Db,
    direct: Cached<BTreeSet<RoomNumber>>,
    tags: Cached<BTreeMap<OwnedRoomId, BTreeSet<String>>>,
}

impl Labels {
    pub fn new(db: Db) -> Self {
        Self { db, direct: Cache::new(CACHED), tags: Cache::new(CACHED / 10) }
    }

    /// The rooms that are direct chats.
    pub async fn direct(
        &self,
        user: &UserId,
        changes: &SharedChanges,
    ) -> Result<Arc<BTreeSet<RoomNumber>>, ReadError> {
        if let Some(known) = still_right(&self.direct, user, changes) {
            return Ok(known);
        }
        let snapshot = self.db.snapshot();
        let as_of = snapshot.position();
        let row = snapshot.get::<AccountData>(&(user.to_owned(), None, DIRECT.to_owned())).await?;
        let content: Map<String, Value> =
            row.and_then(|row| serde_json::from_str(&row.content.0).ok()).unwrap_or_default();
        let named = content.values().filter_map(Value::as_array).flatten().filter_map(Value::as_str);
        let ids: BTreeSet<OwnedRoomId> =
            named.filter_map(|id| RoomId::parse(id).ok()).take(MAX_DIRECT).collect();
        let ids: Vec<OwnedRoomId> = ids.into_iter().collect();
        let numbers = snapshot.get_many::<RoomIds>(&ids).await?;
        let value = Arc::new(numbers.into_iter().flatten().collect());
        self.direct.insert(user.to_owned(), Arc::new(Known { as_of, value: Arc::clone(&value) }));
        Ok(value)
    }

    /// The tags of a user's rooms, of those that have any. `moved`: when one of the user's memberships changed last.
    pub async fn tags(
        &self,
        user: &UserId,
        changes: &SharedChanges,
        moved: Position,
        rooms: impl Iterator<Item = OwnedRoomId>,
    ) -> Result<Arc<BTreeMap<OwnedRoomId, BTreeSet<String>>>, ReadError> {
        let is_of_all = self.tags.get(user).is_some_and(|known| known.as_of >= moved);
        if let Some(known) = still_right(&self.tags, user, changes).filter(|_| is_of_all) {
            return Ok(known);
        }
        let snapshot = self.db.snapshot();
        let as_of = snapshot.position();
        let keys: Vec<_> = rooms.map(|room| (user.to_owned(), Some(room), TAGS.to_owned())).collect();
        let rows = snapshot.get_many::<AccountData>(&keys).await?;
        let mut tags = BTreeMap::new();
        for ((_, room, _), row) in keys.into_iter().zip(rows) {
            let content: Option<Value> = row.and_then(|row| serde_json::from_str(&row.content.0).ok());
            let names = content.as_ref().and_then(|content| content["tags"].as_object());
            if let (Some(room), Some(names)) = (room, names) {
                tags.insert(room, names.keys().cloned().collect());
            }
        }
        let value = Arc::new(tags);
        self.tags.insert(user.to_owned(), Arc::new(Known { as_of, value: Arc::clone(&value) }));
        Ok(value)
    }
}

fn still_right<T>(cached: &Cached<T>, user: &UserId, changes: &SharedChanges) -> Option<Arc<T>> {
    let known = cached.get(user)?;
    let changed = changes.now().0.logs.account_data.may_have_changed(&user.to_owned(), known.as_of);
    (!changed).then(|| Arc::clone(&known.value))
}
