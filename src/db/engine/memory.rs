//! The engine of tests and simulation: ordered persistent maps, so that a view is a clone.
//!
//! Owns: [`MemoryDisk`], what survives the process in a simulation: it can lose what was not synced, refuse writes as a
//! full disk does, and fail a sync.
//!
//! Invariants: everything is deterministic; nothing waits. All profiles share one map: stored keys begin with the keyspace's
//! id, so they never meet.

use std::fmt;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use imbl::OrdMap;

use super::contract::{Direction, EngineError, EngineStats, Rows, Scan, Write, WriteError};

type Table = OrdMap<Bytes, Bytes>;

/// What a simulated server keeps over a crash. Clones are the same disk; a database opened on it again finds what was written.
#[derive(Clone, Default)]
pub struct MemoryDisk {
    state: Arc<Mutex<DiskState>>,
}

#[derive(Default)]
struct DiskState {
    written: Table,
    synced: Table,
    full: bool,
    fail_next_sync: bool,
}

impl MemoryDisk {
    pub fn new() -> MemoryDisk {
        MemoryDisk::default()
    }

    /// A power cut: what was not synced is gone. Databases that were open on it are to be dropped first.
    pub fn lose_unsynced(&self) {
        let mut state = self.lock();
        state.written = state.synced.clone();
    }

    /// While `full`, every write is refused.
    pub fn set_full(&self, full: bool) {
        self.lock().full = full;
    }

    /// The next sync fails.
    pub fn fail_next_sync(&self) {
        self.lock().fail_next_sync = true;
    }

    fn lock(&self) -> MutexGuard<'_, DiskState> {
        // Every change is one assignment, so a panic of another holder leaves it consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryDisk").field("rows", &self.lock().written.len()).finish()
    }
}

#[derive(Clone)]
pub(crate) struct Memory {
    disk: MemoryDisk,
    /// Rows and pages that were read from views.
    reads: Arc<AtomicU64>,
}

#[derive(Clone)]
pub(crate) struct MemoryView {
    table: Table,
    reads: Arc<AtomicU64>,
}

impl Memory {
    pub fn new(disk: MemoryDisk) -> Memory {
        Memory { disk, reads: Arc::default() }
    }

    pub fn view(&self) -> MemoryView {
        MemoryView { table: self.disk.lock().written.clone(), reads: Arc::clone(&self.reads) }
    }

    pub fn read_latest(&self, key: &[u8]) -> Option<Bytes> {
        self.disk.lock().written.get(key).cloned()
    }

    pub fn write(&self, writes: &[Write]) -> Result<(), WriteError> {
        let mut state = self.disk.lock();
        if state.full {
            return Err(WriteError::Refused(EngineError("no space left on the simulated disk".to_owned())));
        }
        let mut table = state.written.clone();
        for write in writes {
            apply(&mut table, write);
        }
        state.written = table;
        Ok(())
    }

    pub fn sync(&self) -> Result<(), EngineError> {
        let mut state = self.disk.lock();
        if std::mem::take(&mut state.fail_next_sync) {
            return Err(EngineError("the simulated disk failed to sync".to_owned()));
        }
        state.synced = state.written.clone();
        Ok(())
    }

    pub fn revive(&self) -> Result<(), EngineError> {
        Ok(())
    }

    pub fn stats(&self) -> EngineStats {
        EngineStats { inline_reads: self.reads.load(Ordering::Relaxed), ..EngineStats::default() }
    }
}

fn apply(table: &mut Table, write: &Write) {
    match write {
        Write::Put { key, value, .. } => {
            table.insert(Bytes::copy_from_slice(key), Bytes::copy_from_slice(value));
        }
        Write::Delete { key, .. } => {
            table.remove(key.as_slice());
        }
        Write::DeleteRange { start, end, .. } => {
            let covered: Vec<Bytes> = range(table, start, end).map(|(key, _)| key.clone()).collect();
            for key in covered {
                table.remove(&key);
            }
        }
    }
}

fn range<'a>(
    table: &'a Table,
    start: &[u8],
    end: &[u8],
) -> impl DoubleEndedIterator<Item = (&'a Bytes, &'a Bytes)> {
    table.range::<_, [u8]>((Bound::Included(start), Bound::Excluded(end)))
}

impl MemoryView {
    pub fn get(&self, key: &[u8]) -> Option<Bytes> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.table.get(key).cloned()
    }

    pub fn scan(&self, scan: &Scan) -> Rows {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let mut found = Rows::default();
        if scan.start >= scan.end {
            return found;
        }
        let mut bytes = 0;
        let rows = range(&self.table, &scan.start, &scan.end);
        match scan.direction {
            Direction::Forward => {
                rows.take_while(|(key, value)| found.push(scan, &mut bytes, key, value)).count()
            }
            Direction::Backward => {
                rows.rev().take_while(|(key, value)| found.push(scan, &mut bytes, key, value)).count()
            }
        };
        found
    }
}
