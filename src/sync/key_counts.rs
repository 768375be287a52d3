//! What a device is told of its own keys (client-server API, "Extensions to /sync": `device_one_time_keys_count`,
//! `device_unused_fallback_key_types`).
//!
//! Owns: a bounded cache of the counts. Does not own: the counts.
//!
//! Invariants: what is given out has every change that was acknowledged before the call. Reads nothing if it is in memory and nothing changed.

use std::sync::Arc;

use plop_base::Actor;
use plop_db::{Db, Position, ReadError};
use plop_e2ee::keys::{KeyCount, key_count};
use plop_state::json::TextWriter;
use quick_cache::sync::Cache;
use ruma::{OwnedDeviceId, OwnedUserId};

use crate::changes::SharedChanges;

/// Devices that sync now and then.
const CACHED: usize = 50_000;

/// The counts of a device, as of a position.
#[derive(Clone)]
struct Known {
    as_of: Position,
    count: Arc<KeyCount>,
}

/// The counts of devices.
pub struct KeyCounts {
    db: Db,
    known: Cache<(OwnedUserId, OwnedDeviceId), Known>,
}

impl KeyCounts {
    pub fn new(db: Db) -> Self {
        Self { db, known: Cache::new(CACHED) }
    }

    /// The counts of the acting device; `None` for who acts without one.
    pub async fn of(
        &self,
        actor: &Actor,
        changes: &SharedChanges,
    ) -> Result<Option<Arc<KeyCount>>, ReadError> {
        let (Some(user), Some(device)) = (actor.user_id(), actor.device_id()) else { return Ok(None) };
        let owner = (user.to_owned(), device.to_owned());
        if let Some(known) = self.known.get(&owner) {
            let has_changed = changes.now().0.logs.key_counts.may_have_changed(&owner, known.as_of);
            if !has_changed {
                return Ok(Some(known.count));
            }
        }
        let snapshot = self.db.snapshot();
        let count = Arc::new(key_count(&snapshot, user, device).await?);
        self.known.insert(owner, Known { as_of: snapshot.position(), count: Arc::clone(&count) });
        Ok(Some(count))
    }
}

/// Whether the counts changed after a position.
pub fn changed_after(count: &KeyCount, after: Position) -> bool {
    count.changed.is_some_and(|changed| changed > after)
}

/// `{"signed_curve25519": 20}`
pub fn one_time_text(count: &KeyCount) -> String {
    let mut out = TextWriter::new();
    out.object();
    for (algorithm, count) in &count.one_time {
        out.key(algorithm);
        out.number(*count);
    }
    out.finish()
}

/// `["signed_curve25519"]`
pub fn unused_fallback_text(count: &KeyCount) -> String {
    let mut out = TextWriter::new();
    out.list();
    count.unused_fallback.iter().for_each(|algorithm| out.string(algorithm));
    out.finish()
}
