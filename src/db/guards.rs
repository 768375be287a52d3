//! Guards: writers of one subject take turns.
//!
//! Owns: the turns. Does not own: what is written. Expects would refuse all but one of the writers that read the same rows at the same
//! time; with a guard they rarely have to.
//!
//! Invariants: a guard is held over reads and the commit, never over work that takes long. Whoever takes two names the order where the
//! second one is taken. What is decided under a guard is committed under it ([`crate::Db::commit_under`]): a request that is dropped while its
//! commit is on the way lets go of nothing.

use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard};

/// More than the writes that a disk takes at once; two subjects that share a guard only wait for each other.
const GUARDS: usize = 256;

/// Guards by name.
pub struct Guards(Vec<Arc<Mutex<()>>>);

/// A turn: it lasts until the last clone is gone.
pub type Guard = Arc<OwnedMutexGuard<()>>;

impl Default for Guards {
    /// Nobody holds any.
    fn default() -> Self {
        Self((0..GUARDS).map(|_| Arc::default()).collect())
    }
}

impl Guards {
    /// Waits until nobody else holds the guard of this name.
    pub async fn lock(&self, name: &str) -> Guard {
        // One byte of the checksum, and as many guards as a byte has values.
        let [first, ..] = crc32fast::hash(name.as_bytes()).to_le_bytes();
        Arc::new(Arc::clone(&self.0[usize::from(first)]).lock_owned().await)
    }
}
