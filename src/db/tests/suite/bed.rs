//! What a test stands on: an engine that can be closed and opened again, and a few keyspaces.

use std::fs;
use std::path::Path;

use plop_base::Random;
use plop_db::{Counter, Db, Hooks, MemoryDisk, Options, Position, Tail, keyspaces};
use tempfile::TempDir;

keyspaces! {
    pub const KEYSPACES;
    /// Rows looked up by whole keys.
    pub Names = 100 "names" Point { (u64, String) => String }
    /// Rows read in order, which wake the waiters of a room.
    pub Arrivals = 101 "arrivals" Scan { (u64, Position) => (Position, String) } stream u64
    /// Rows that live shortly.
    pub Jobs = 102 "jobs" Queue { u64 => () }
    /// Numbers.
    pub Counts = 103 "counts" Counter { u64 => Counter }
    /// Values of many kilobytes.
    pub Bodies = 104 "bodies" Large { u64 => Tail<Vec<u8>> }
}

keyspaces! {
    pub const UNREGISTERED;
    /// Not in the registry of the test databases.
    pub Stranger = 200 "stranger" Point { u64 => u64 }
}

/// A place for a database that outlives it.
pub enum Bed {
    Memory(MemoryDisk),
    RocksDb(TempDir),
}

impl Bed {
    pub fn memory() -> Bed {
        Bed::Memory(MemoryDisk::new())
    }

    pub fn rocksdb() -> Bed {
        Bed::RocksDb(tempfile::tempdir().expect("a temporary folder"))
    }

    pub async fn open(&self) -> Db {
        let random = Random::seeded(7);
        match self {
            Bed::Memory(disk) => Db::memory_on(disk, KEYSPACES.to_vec(), Hooks::default(), &random),
            Bed::RocksDb(folder) => {
                Db::open(Options::new(folder.path().join("db"), KEYSPACES.to_vec()), &random)
            }
        }
        .expect("the database opens")
    }

    /// Ends a database in order and opens it again.
    pub async fn reopen(&self, db: Db) -> Db {
        db.close().await;
        self.open().await
    }
}

/// What children and their checks run on: more than one thread, so that commits meet.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Copies a folder with all that is in it.
pub fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Runs each test on every engine, each in a module of the engine's name.
#[macro_export]
macro_rules! on_every_engine {
    ($($test:ident),+ $(,)?) => {
        mod memory {
            $(#[tokio::test] async fn $test() { super::$test($crate::bed::Bed::memory()).await; })+
        }
        mod rocksdb {
            $(#[tokio::test] async fn $test() { super::$test($crate::bed::Bed::rocksdb()).await; })+
        }
    };
}
