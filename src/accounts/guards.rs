//! Guards: operations on one subject run one after the other.
//!
//! Invariants: a guard is held over reads and the commit, never over a password hash. Who takes two takes the user's first.

use tokio::sync::{Mutex, MutexGuard};

/// More than the writes that a disk takes at once; two users who share a guard only wait for each other.
const GUARDS: usize = 256;

/// Guards by name.
pub(crate) struct Guards(Vec<Mutex<()>>);

impl Guards {
    pub fn new() -> Self {
        Self((0..GUARDS).map(|_| Mutex::new(())).collect())
    }

    /// Waits until nobody else holds the guard of this name.
    pub async fn lock(&self, name: &str) -> MutexGuard<'_, ()> {
        // One byte of the hash, and as many guards as a byte has values.
        let [first, ..] = *blake3::hash(name.as_bytes()).as_bytes();
        self.0[usize::from(first)].lock().await
    }
}
