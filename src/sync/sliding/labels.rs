//! What a user says of rooms in their account data: which are direct chats, which have which tags.
//!
//! Owns: bounded caches of it. Does not own: the rows.
//!
//! Invariants: no older than the last change that was acknowledged before it is asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plop_accounts::schema::AccountData;
use plop_db::{Position, ReadError, Snapshot};
use plop_rooms::schema::RoomIds;
use plop_state_store::RoomNumber;
use ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId};
use serde_json::{Map, Value};

use crate::as_of::AsOf;
use crate::changes::{Logs, SharedChanges};

/// The type of account data that names direct chats.
const DIRECT: &str = "m.direct";
/// The type of account data that has the tags of a room.
const TAGS: &str = "m.tag";

/// Bytes of what is remembered of users, about, for each of both.
const CACHE_BYTES: u64 = 8 << 20;
/// Direct chats that are looked at: account data is limited, so there are not many more.
const MAX_DIRECT: usize = 10_000;

/// The tags of a user's rooms, of those that have any.
type Tags = BTreeMap<OwnedRoomId, BTreeSet<String>>;

/// The labels of users' rooms.
pub struct Labels {
    direct: AsOf<OwnedUserId, Arc<BTreeSet<RoomNumber>>>,
    tags: AsOf<OwnedUserId, Arc<Tags>>,
}

impl Default for Labels {
    fn default() -> Self {
        const USER: u64 = 192;
        const CHAT: u64 = 16;
        const TAGGED: u64 = 192;
        Self {
            direct: AsOf::new(CACHE_BYTES, 2 * USER, |rooms| USER + CHAT * rooms.len() as u64),
            tags: AsOf::new(CACHE_BYTES, 4 * USER, |tags| USER + TAGGED * tags.len() as u64),
        }
    }
}

impl Labels {
    /// The rooms that are direct chats.
    pub async fn direct(
        &self,
        user: &UserId,
        changes: &SharedChanges,
    ) -> Result<Arc<BTreeSet<RoomNumber>>, ReadError> {
        let owner = user.to_owned();
        let is_right = |logs: &Logs, as_of| !logs.account_data.may_have_changed(&owner, as_of);
        let read = |snapshot| async move { Ok(Arc::new(read_direct(&snapshot, user).await?)) };
        self.direct.of(owner.clone(), changes, is_right, read).await
    }

    /// The tags of a user's rooms. `moved`: when one of the user's memberships changed last.
    pub async fn tags(
        &self,
        user: &UserId,
        changes: &SharedChanges,
        moved: Position,
        rooms: impl Iterator<Item = OwnedRoomId>,
    ) -> Result<Arc<Tags>, ReadError> {
        let owner = user.to_owned();
        let is_right = |logs: &Logs, as_of| {
            let is_of_all = as_of >= moved;
            is_of_all && !logs.account_data.may_have_changed(&owner, as_of)
        };
        let read = |snapshot| async move { Ok(Arc::new(read_tags(&snapshot, user, rooms).await?)) };
        self.tags.of(owner.clone(), changes, is_right, read).await
    }
}

async fn read_direct(snapshot: &Snapshot, user: &UserId) -> Result<BTreeSet<RoomNumber>, ReadError> {
    let row = snapshot.get::<AccountData>(&(user.to_owned(), None, DIRECT.to_owned())).await?;
    let content: Map<String, Value> =
        row.and_then(|row| serde_json::from_str(&row.content.0).ok()).unwrap_or_default();
    let named = content.values().filter_map(Value::as_array).flatten().filter_map(Value::as_str);
    let ids: BTreeSet<OwnedRoomId> = named.filter_map(|id| RoomId::parse(id).ok()).take(MAX_DIRECT).collect();
    let ids: Vec<OwnedRoomId> = ids.into_iter().collect();
    let numbers = snapshot.get_many::<RoomIds>(&ids).await?;
    Ok(numbers.into_iter().flatten().collect())
}

async fn read_tags(
    snapshot: &Snapshot,
    user: &UserId,
    rooms: impl Iterator<Item = OwnedRoomId>,
) -> Result<Tags, ReadError> {
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
    Ok(tags)
}
