//! Engines: bytes under byte keys, in a table for each profile.
//!
//! Owns: the contract ([`Engine`], [`View`], [`Write`]) and the engines behind it. Nothing outside this folder names
//! `rocksdb`, and no type of an engine leaves it.
//!
//! Contract of every engine:
//! - [`Engine::write`] applies its writes in order, all or none, to the log and to what is read. An error means *refused*: nothing
//!   of it is read, and the engine takes no more writes until [`Engine::revive`] has succeeded.
//! - [`Engine::sync`] returns once everything written before is on disk. Its error is final: the caller ends the process.
//! - After a crash an engine holds a prefix of what was written, at least up to the last sync.
//! - A [`View`] is consistent and cheap to clone. Its reads are async and hold no iterator or guard across an await.
//! - Only the committer calls `read_latest`, `write`, `sync` and `revive`, so what it reads cannot change under it.
//!
//! Faults for tests are injected here: [`memory::MemoryDisk`] can refuse writes, fail syncs and lose what was not synced.

pub(crate) mod memory;
pub(crate) mod rocks;

use std::path::Path;

use bytes::Bytes;

use crate::keyspace::Profile;

/// One operation of an atomic write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Write {
    Put { table: Profile, key: Vec<u8>, value: Vec<u8> },
    Delete { table: Profile, key: Vec<u8> },
    DeleteRange { table: Profile, start: Vec<u8>, end: Vec<u8> },
}

/// The engine could not do it. The text is for the log and the admin; it holds no rows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EngineError(pub String);

/// In which order a scan goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Forward,
    Backward,
}

/// A part of a table to read: from `start` on, before `end`.
#[derive(Debug, Clone)]
pub(crate) struct Scan {
    pub table: Profile,
    pub start: Vec<u8>,
    pub end: Vec<u8>,
    pub direction: Direction,
    /// At most so many rows.
    pub rows: usize,
    /// No further row once keys and values have this many bytes.
    pub bytes: usize,
}

/// The rows of a scan in its order, and whether the range holds more.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub rows: Vec<(Bytes, Bytes)>,
    pub more: bool,
}

/// What an engine says about itself. Bytes; zero where an engine has no such thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EngineStats {
    /// Rows on disk, compressed.
    pub table_bytes: u64,
    /// Rows in memory that are only in the log so far.
    pub memtable_bytes: u64,
    /// Memory of the block cache.
    pub cache_bytes: u64,
    /// Log files, those kept for reuse included.
    pub log_bytes: u64,
    /// What compaction still has to rewrite.
    pub compaction_debt_bytes: u64,
    /// Reads that were answered without waiting, and those that went to the blocking pool.
    pub inline_reads: u64,
    pub pooled_reads: u64,
}

/// A store of bytes.
#[derive(Clone)]
pub(crate) enum Engine {
    Memory(memory::Memory),
    RocksDb(rocks::RocksDb),
}

/// A consistent view of an engine.
#[derive(Clone)]
pub(crate) enum View {
    Memory(memory::MemoryView),
    RocksDb(rocks::RocksView),
}

impl Engine {
    pub fn view(&self) -> View {
        match self {
            Engine::Memory(engine) => View::Memory(engine.view()),
            Engine::RocksDb(engine) => View::RocksDb(engine.view()),
        }
    }

    /// The newest value of a row. May wait for the disk.
    pub fn read_latest(&self, table: Profile, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        match self {
            Engine::Memory(engine) => Ok(engine.read_latest(key)),
            Engine::RocksDb(engine) => engine.read_latest(table, key),
        }
    }

    /// Writes to the log and makes visible, without waiting for the disk.
    pub fn write(&self, writes: &[Write]) -> Result<(), EngineError> {
        match self {
            Engine::Memory(engine) => engine.write(writes),
            Engine::RocksDb(engine) => engine.write(writes),
        }
    }

    /// Waits until everything written is on disk.
    pub fn sync(&self) -> Result<(), EngineError> {
        match self {
            Engine::Memory(engine) => engine.sync(),
            Engine::RocksDb(engine) => engine.sync(),
        }
    }

    /// After a refused write: asks the engine to take writes again. The caller then tries one and syncs it.
    pub fn revive(&self) -> Result<(), EngineError> {
        match self {
            Engine::Memory(engine) => engine.revive(),
            Engine::RocksDb(engine) => engine.revive(),
        }
    }

    /// Makes a complete copy that can be opened, in a folder that must not exist. Blocks.
    pub fn checkpoint(&self, folder: &Path) -> Result<(), EngineError> {
        match self {
            Engine::Memory(_) => Err(EngineError("the memory engine has no files to copy".to_owned())),
            Engine::RocksDb(engine) => engine.checkpoint(folder),
        }
    }

    pub fn stats(&self) -> EngineStats {
        match self {
            Engine::Memory(engine) => engine.stats(),
            Engine::RocksDb(engine) => engine.stats(),
        }
    }
}

impl View {
    pub async fn get(&self, table: Profile, key: Vec<u8>) -> Result<Option<Bytes>, EngineError> {
        match self {
            View::Memory(view) => Ok(view.get(&key)),
            View::RocksDb(view) => view.get(table, key).await,
        }
    }

    /// The values of the keys, in their order.
    pub async fn get_many(
        &self,
        table: Profile,
        keys: Vec<Vec<u8>>,
    ) -> Result<Vec<Option<Bytes>>, EngineError> {
        match self {
            View::Memory(view) => Ok(keys.iter().map(|key| view.get(key)).collect()),
            View::RocksDb(view) => view.get_many(table, keys).await,
        }
    }

    pub async fn scan(&self, scan: Scan) -> Result<Rows, EngineError> {
        match self {
            View::Memory(view) => Ok(view.scan(&scan)),
            View::RocksDb(view) => view.scan(scan).await,
        }
    }
}

impl Rows {
    /// Takes rows until the scan's limits are reached; says whether the next one is still wanted.
    pub fn push(&mut self, scan: &Scan, taken_bytes: &mut usize, key: &[u8], value: &[u8]) -> bool {
        if self.is_full(scan, *taken_bytes) {
            self.more = true;
            return false;
        }
        *taken_bytes += key.len() + value.len();
        self.rows.push((Bytes::copy_from_slice(key), Bytes::copy_from_slice(value)));
        true
    }

    fn is_full(&self, scan: &Scan, taken_bytes: usize) -> bool {
        self.rows.len() >= scan.rows || taken_bytes >= scan.bytes
    }
}
