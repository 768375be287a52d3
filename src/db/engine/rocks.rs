//! RocksDB: the default engine, embedded.
//!
//! Owns: reads from memory first and from a bounded blocking pool else, writes and syncs of the log, checkpoints. Its tuning is in
//! [`options`].
//!
//! Invariants: the log is never skipped. A write and its sync are two calls, so that a write that was refused (nothing is in the store; RocksDB
//! takes no further writes until it recovered) and a sync that failed (unknown what is on disk) cannot be confused. A column family for each
//! profile; no iterator leaves a function. A view keeps the database open.
//!
//! After a full disk RocksDB recovers by itself, some seconds after there is room again; other refusals last until the process starts anew.
//! So [`RocksDb::revive`] has nothing to do: the committer's test write says how it stands.

mod manifest;
mod options;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use rocksdb::checkpoint::Checkpoint;
use rocksdb::{ColumnFamily, DB, ErrorKind, ReadOptions, ReadTier, Snapshot, WriteBatch, WriteOptions};
use self_cell::self_cell;
use tokio::sync::Semaphore;

use super::contract::{Direction, EngineError, EngineStats, Rows, Scan, Write, WriteError};
use crate::keyspace::Profile;
pub(crate) use options::RocksOptions;

/// Reads that wait for the disk at the same time; further ones wait for their turn.
const POOLED_READS: usize = 16;
/// What a scan may take on the caller's thread, even if memory has more; then it goes on in the pool.
const INLINE_ROWS: usize = 256;
const INLINE_BYTES: usize = 256 << 10;

#[derive(Clone)]
pub(crate) struct RocksDb {
    store: Arc<Store>,
}

struct Store {
    db: DB,
    folder: PathBuf,
    memory: options::Memory,
    pool: Semaphore,
    inline_reads: AtomicU64,
    pooled_reads: AtomicU64,
}

self_cell!(
    /// A snapshot together with the database that it borrows from.
    struct Pinned {
        owner: Arc<Store>,
        #[covariant]
        dependent: Snapshot,
    }
);

#[derive(Clone)]
pub(crate) struct RocksView {
    pinned: Arc<Pinned>,
}

/// How far a read may go for its answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Memory only; what is not there is [`Found::NotInMemory`].
    Memory,
    Disk,
}

enum Found<T> {
    Answer(T),
    NotInMemory,
}

impl RocksDb {
    /// Opens the database in a folder, or makes it there (`create`). Recovers the log up to the first damaged record.
    pub fn open(folder: &Path, rocks_options: &RocksOptions) -> Result<RocksDb, EngineError> {
        manifest::mend(folder)
            .map_err(|error| EngineError(format!("the manifest cannot be read: {error}")))?;
        let (options, families, memory) = options::build(rocks_options);
        let db = DB::open_cf_descriptors(&options, folder, families).map_err(engine_error)?;
        let store = Store {
            db,
            folder: folder.to_owned(),
            memory,
            pool: Semaphore::new(POOLED_READS),
            inline_reads: AtomicU64::new(0),
            pooled_reads: AtomicU64::new(0),
        };
        Ok(RocksDb { store: Arc::new(store) })
    }

    pub fn view(&self) -> RocksView {
        RocksView { pinned: Arc::new(Pinned::new(self.store.clone(), |store| store.db.snapshot())) }
    }

    pub fn read_latest(&self, table: Profile, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        let family = self.store.family(table)?;
        let found = self.store.db.get_pinned_cf(family, key).map_err(engine_error)?;
        Ok(found.map(|value| Bytes::copy_from_slice(&value)))
    }

    pub fn write(&self, writes: &[Write]) -> Result<(), WriteError> {
        let batch = self.batch_of(writes).map_err(WriteError::Refused)?;
        self.store
            .db
            .write_opt(batch, &WriteOptions::default())
            .map_err(|error| write_error(error.into_string()))
    }

    fn batch_of(&self, writes: &[Write]) -> Result<WriteBatch, EngineError> {
        let mut batch = WriteBatch::default();
        for write in writes {
            match write {
                Write::Put { table, key, value } => batch.put_cf(self.store.family(*table)?, key, value),
                Write::Delete { table, key } => batch.delete_cf(self.store.family(*table)?, key),
                Write::DeleteRange { table, start, end } => {
                    batch.delete_range_cf(self.store.family(*table)?, start, end);
                }
            }
        }
        Ok(batch)
    }

    pub fn sync(&self) -> Result<(), EngineError> {
        self.store.db.flush_wal(true).map_err(engine_error)
    }

    pub fn revive(&self) -> Result<(), EngineError> {
        Ok(())
    }

    pub fn checkpoint(&self, folder: &Path) -> Result<(), EngineError> {
        let checkpoint = Checkpoint::new(&self.store.db).map_err(engine_error)?;
        checkpoint.create_checkpoint(folder).map_err(engine_error)
    }

    pub fn stats(&self) -> EngineStats {
        let store = &self.store;
        EngineStats {
            table_bytes: store.sum("rocksdb.live-sst-files-size"),
            memtable_bytes: store.sum("rocksdb.cur-size-all-mem-tables"),
            cache_bytes: store.memory.cache.get_usage() as u64,
            log_bytes: store.log_bytes(),
            compaction_debt_bytes: store.sum("rocksdb.estimate-pending-compaction-bytes"),
            inline_reads: store.inline_reads.load(Ordering::Relaxed),
            pooled_reads: store.pooled_reads.load(Ordering::Relaxed),
        }
    }
}

impl Store {
    fn family(&self, table: Profile) -> Result<&ColumnFamily, EngineError> {
        let name = options::family_name(table);
        self.db.cf_handle(name).ok_or_else(|| EngineError(format!("column family {name} is missing")))
    }

    fn sum(&self, property: &str) -> u64 {
        let value = |table: &Profile| {
            let family = self.family(*table).ok()?;
            self.db.property_int_value_cf(family, property).ok()?
        };
        Profile::ALL.iter().filter_map(value).sum()
    }

    fn log_bytes(&self) -> u64 {
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return 0 };
        let logs = entries.flatten().filter(|entry| entry.path().extension().is_some_and(|end| end == "log"));
        logs.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
    }
}

impl RocksView {
    pub async fn get(&self, table: Profile, key: Vec<u8>) -> Result<Option<Bytes>, EngineError> {
        match self.read_one(table, &key, Reach::Memory)? {
            Found::Answer(value) => {
                self.count_inline();
                Ok(value)
            }
            Found::NotInMemory => self.pooled(move |view| view.read_one(table, &key, Reach::Disk)).await,
        }
    }

    pub async fn get_many(
        &self,
        table: Profile,
        keys: Vec<Vec<u8>>,
    ) -> Result<Vec<Option<Bytes>>, EngineError> {
        match self.read_many(table, &keys, Reach::Memory)? {
            Found::Answer(values) => {
                self.count_inline();
                Ok(values)
            }
            Found::NotInMemory => self.pooled(move |view| view.read_many(table, &keys, Reach::Disk)).await,
        }
    }

    pub async fn scan(&self, scan: Scan) -> Result<Rows, EngineError> {
        if scan.start >= scan.end {
            return Ok(Rows::default());
        }
        let mut progress = Progress::new(scan);
        if let Found::Answer(()) = progress.advance(self, Reach::Memory)? {
            self.count_inline();
            return Ok(progress.found);
        }
        self.pooled(move |view| {
            Ok(match progress.advance(view, Reach::Disk)? {
                Found::Answer(()) => Found::Answer(progress.found),
                Found::NotInMemory => Found::NotInMemory,
            })
        })
        .await
    }

    /// Runs a read that may wait for the disk where it blocks nobody.
    #[expect(clippy::disallowed_methods, reason = "this is the bounded pool: a permit for each read")]
    async fn pooled<T: Send + 'static>(
        &self,
        read: impl FnOnce(&RocksView) -> Result<Found<T>, EngineError> + Send + 'static,
    ) -> Result<T, EngineError> {
        let store = self.store();
        store.pooled_reads.fetch_add(1, Ordering::Relaxed);
        let ended = |_| EngineError("the read pool has ended".to_owned());
        let _turn = store.pool.acquire().await.map_err(ended)?;
        let view = self.clone();
        let answer = tokio::task::spawn_blocking(move || read(&view)).await;
        match answer.map_err(|error| EngineError(error.to_string()))?? {
            Found::Answer(value) => Ok(value),
            Found::NotInMemory => Err(EngineError("the disk was not asked".to_owned())),
        }
    }

    fn store(&self) -> &Store {
        self.pinned.borrow_owner()
    }

    fn count_inline(&self) {
        self.store().inline_reads.fetch_add(1, Ordering::Relaxed);
    }

    fn read_options(&self, reach: Reach) -> ReadOptions {
        let mut options = ReadOptions::default();
        options.set_snapshot(self.pinned.borrow_dependent());
        if reach == Reach::Memory {
            options.set_read_tier(ReadTier::BlockCache);
        }
        options
    }

    fn read_one(
        &self,
        table: Profile,
        key: &[u8],
        reach: Reach,
    ) -> Result<Found<Option<Bytes>>, EngineError> {
        let family = self.store().family(table)?;
        let found = self.store().db.get_pinned_cf_opt(family, key, &self.read_options(reach));
        in_memory(found.map(|value| value.map(|bytes| Bytes::copy_from_slice(&bytes))))
    }

    fn read_many(
        &self,
        table: Profile,
        keys: &[Vec<u8>],
        reach: Reach,
    ) -> Result<Found<Vec<Option<Bytes>>>, EngineError> {
        let family = self.store().family(table)?;
        let options = self.read_options(reach);
        let found = self.store().db.batched_multi_get_cf_opt(family, keys, false, &options);
        let copied = found.into_iter().map(|value| Ok(value?.map(|bytes| Bytes::copy_from_slice(&bytes))));
        in_memory(copied.collect())
    }
}

/// A scan that can stop where memory ends and go on from there.
struct Progress {
    scan: Scan,
    found: Rows,
    bytes: usize,
}

impl Progress {
    fn new(scan: Scan) -> Progress {
        Progress { scan, found: Rows::default(), bytes: 0 }
    }

    /// Reads on until the scan is complete or, if only memory is asked, until memory ends or it has been enough for the caller's thread.
    fn advance(&mut self, view: &RocksView, reach: Reach) -> Result<Found<()>, EngineError> {
        let mut options = view.read_options(reach);
        let (start, end) = self.rest();
        options.set_iterate_lower_bound(start);
        options.set_iterate_upper_bound(end);
        let store = view.store();
        let mut rows = store.db.raw_iterator_cf_opt(store.family(self.scan.table)?, options);
        match self.scan.direction {
            Direction::Forward => rows.seek_to_first(),
            Direction::Backward => rows.seek_to_last(),
        }
        while let Some((key, value)) = rows.item() {
            if !self.found.push(&self.scan, &mut self.bytes, key, value) {
                return Ok(Found::Answer(()));
            }
            if reach == Reach::Memory && (self.found.rows.len() >= INLINE_ROWS || self.bytes >= INLINE_BYTES)
            {
                return Ok(Found::NotInMemory);
            }
            match self.scan.direction {
                Direction::Forward => rows.next(),
                Direction::Backward => rows.prev(),
            }
        }
        in_memory(rows.status())
    }

    /// The bounds of what is not read yet.
    fn rest(&self) -> (Vec<u8>, Vec<u8>) {
        let Scan { start, end, .. } = &self.scan;
        match (self.found.rows.last(), self.scan.direction) {
            (None, _) => (start.clone(), end.clone()),
            // The smallest key after the last one is that key and a zero.
            (Some((last, _)), Direction::Forward) => ([last, &[0][..]].concat(), end.clone()),
            (Some((last, _)), Direction::Backward) => (start.clone(), last.to_vec()),
        }
    }
}

fn in_memory<T>(found: Result<T, rocksdb::Error>) -> Result<Found<T>, EngineError> {
    match found {
        Ok(answer) => Ok(Found::Answer(answer)),
        Err(error) if error.kind() == ErrorKind::Incomplete => Ok(Found::NotInMemory),
        Err(error) => Err(engine_error(error)),
    }
}

/// After an error in its background RocksDB answers every write with it: `IO error: While fdatasync: <file>: <reason>`, where the
/// disk is full `IO error: No space left on device: While appending to file: <file>: ...`.
fn write_error(text: String) -> WriteError {
    let operation = text.strip_prefix("IO error: ").unwrap_or(&text);
    let operation = operation.strip_prefix("No space left on device: ").unwrap_or(operation);
    let sync = ["While fdatasync", "While fsync", "While sync_file_range"];
    if sync.iter().any(|sync| operation.starts_with(sync)) {
        return WriteError::SyncFailed(EngineError(text));
    }
    WriteError::Refused(EngineError(text))
}

fn engine_error(error: rocksdb::Error) -> EngineError {
    EngineError(error.into_string())
}
