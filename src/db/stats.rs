//! Figures of the commit path, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::engine::EngineStats;

/// What the store did since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Batches committed.
    pub commits: u64,
    /// Batches refused by an expect.
    pub conflicts: u64,
    /// Groups written; `commits / groups` is how many batches share a write.
    pub groups: u64,
    /// Syncs of the log.
    pub syncs: u64,
    /// Bytes of keys and values written.
    pub written_bytes: u64,
    /// Batches waiting for the committer at this moment.
    pub queued: u64,
    pub engine: EngineStats,
}

#[derive(Default)]
pub(crate) struct Counters {
    pub commits: AtomicU64,
    pub conflicts: AtomicU64,
    pub groups: AtomicU64,
    pub syncs: AtomicU64,
    pub written_bytes: AtomicU64,
}

impl Counters {
    pub fn count(counter: &AtomicU64, more: u64) {
        counter.fetch_add(more, Ordering::Relaxed);
    }

    pub fn stats(&self, queued: usize, engine: EngineStats) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            commits: read(&self.commits),
            conflicts: read(&self.conflicts),
            groups: read(&self.groups),
            syncs: read(&self.syncs),
            written_bytes: read(&self.written_bytes),
            queued: queued as u64,
            engine,
        }
    }
}
