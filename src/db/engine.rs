//! Engines: bytes under byte keys, in a table for each profile.
//!
//! Owns: the contract ([`Engine`], [`View`], [`Write`]) and the engines behind it. Nothing outside this folder names
//! `rocksdb` or chooses an engine; what leaves is plain data of the contract, and the simulated disk.
//!
//! Contract of every engine:
//! - [`Engine::write`] applies its writes in order, all or none, to the log and to what is read. An error means *refused*: nothing
//!   of it is read, and the engine takes no more writes until [`Engine::revive`] has succeeded; or that a sync failed in the background.
//! - [`Engine::sync`] returns once everything written before is on disk. Its error is final: the caller ends the process.
//! - After a crash an engine holds a prefix of what was written, at least up to the last sync.
//! - A [`View`] is consistent and cheap to clone. Its reads are async and hold no iterator or guard across an await.
//! - Reads go on while writes are refused. Only while an engine is being opened anew ([`Engine::revive`]) they fail.
//! - Only the committer calls `read_latest`, `write`, `sync` and `revive`, so what it reads cannot change under it.
//!
//! Faults for tests are injected here: [`MemoryDisk`] can refuse writes, fail syncs and lose what was not synced.

mod contract;
mod memory;
mod rocks;

use std::path::Path;

use bytes::Bytes;

pub use contract::{Direction, EngineError, EngineStats, Profile};
pub(crate) use contract::{EngineOptions, Rows, Scan, Write, WriteError};
pub use memory::MemoryDisk;

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
    /// Opens the database in a folder. Blocks while its log is recovered.
    pub fn open(folder: &Path, options: EngineOptions) -> Result<Engine, EngineError> {
        rocks::RocksDb::open(folder, options).map(Engine::RocksDb)
    }

    /// Opens what is on a simulated disk.
    pub fn in_memory(disk: &MemoryDisk) -> Engine {
        Engine::Memory(memory::Memory::new(disk.clone()))
    }

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
    pub fn write(&self, writes: &[Write]) -> Result<(), WriteError> {
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

    /// After a refused write: asks the engine to take writes again. The caller then tries one and syncs it. `let_go` drops the views that the caller
    /// keeps; others that are held for long may keep the engine from it.
    pub fn revive(&self, let_go: impl Fn()) -> Result<(), EngineError> {
        match self {
            Engine::Memory(engine) => engine.revive(),
            Engine::RocksDb(engine) => engine.revive(let_go),
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
    /// Whether its reads can succeed. Not so where an engine was being revived when it was taken.
    pub fn can_read(&self) -> bool {
        match self {
            View::Memory(_) => true,
            View::RocksDb(view) => view.can_read(),
        }
    }

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
