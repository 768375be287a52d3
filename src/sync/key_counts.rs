//! What a device is told of its own keys (client-server API, "Extensions to /sync": `device_one_time_keys_count`,
//! `device_unused_fallback_key_types`).
//!
//! Owns: a bounded cache of the counts. Does not own: the counts.
//!
//! Invariants: what is given out has every change that was acknowledged before the call. Reads nothing if it is in memory and nothing changed.

use std::sync::Arc;

use plop_base::Actor;
use plop_db::{Position, ReadError};
use plop_e2ee::keys::{KeyCount, key_count};
use plop_state::json::TextWriter;
use ruma::{OwnedDeviceId, OwnedUserId};

use crate::as_of::AsOf;
use crate::changes::{Logs, SharedChanges};

/// Bytes of counts that are kept, about: those of the devices that sync now and then.
const CACHE_BYTES: u64 = 16 << 20;

/// The counts of devices.
pub struct KeyCounts(AsOf<(OwnedUserId, OwnedDeviceId), Arc<KeyCount>>);

impl Default for KeyCounts {
    fn default() -> Self {
        const DEVICE: u64 = 320;
        const ALGORITHM: u64 = 48;
        let weigh = |count: &Arc<KeyCount>| {
            DEVICE + ALGORITHM * (count.one_time.len() + count.unused_fallback.len()) as u64
        };
        Self(AsOf::new(CACHE_BYTES, DEVICE, weigh))
    }
}

impl KeyCounts {
    /// The counts of the acting device; `None` for who acts without one.
    pub async fn of(
        &self,
        actor: &Actor,
        changes: &SharedChanges,
    ) -> Result<Option<Arc<KeyCount>>, ReadError> {
        let (Some(user), Some(device)) = (actor.user_id(), actor.device_id()) else { return Ok(None) };
        let owner = (user.to_owned(), device.to_owned());
        let is_right = |logs: &Logs, as_of| !logs.key_counts.may_have_changed(&owner, as_of);
        let read = |snapshot| async move { Ok(Arc::new(key_count(&snapshot, user, device).await?)) };
        self.0.of(owner.clone(), changes, is_right, read).await.map(Some)
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
