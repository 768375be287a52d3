//! One opening of a RocksDB database.
//!
//! Owns: the handle, and what has to live as long as it does. It closes when the last view and the last operation are gone.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use plop_base::BlockingPool;
use rocksdb::{ColumnFamily, DB, WriteBatch};

use super::manifest;
use super::options;
use crate::engine::contract::{EngineError, EngineOptions, EngineStats, Profile, Write};

/// Reads that wait for the disk at the same time; further ones wait for their turn.
const POOLED_READS: usize = 16;

pub(super) struct Store {
    pub db: DB,
    folder: PathBuf,
    memory: options::Memory,
    /// For reads that wait for the disk.
    pub pool: BlockingPool,
    pub inline_reads: AtomicU64,
    pub pooled_reads: AtomicU64,
    /// The last field, so that the database is closed when it goes.
    _open: SyncSender<()>,
}

impl Store {
    /// The receiver ends when the store is closed.
    pub fn open(folder: &Path, engine_options: EngineOptions) -> Result<(Store, Receiver<()>), EngineError> {
        manifest::mend(folder)
            .map_err(|error| EngineError(format!("the manifest cannot be read: {error}")))?;
        let (options, families, memory) = options::build(engine_options);
        let db = DB::open_cf_descriptors(&options, folder, families).map_err(engine_error)?;
        let (open, closed) = sync_channel(0);
        let store = Store {
            db,
            folder: folder.to_owned(),
            memory,
            pool: BlockingPool::new(POOLED_READS),
            inline_reads: AtomicU64::new(0),
            pooled_reads: AtomicU64::new(0),
            _open: open,
        };
        Ok((store, closed))
    }

    pub fn family(&self, table: Profile) -> Result<&ColumnFamily, EngineError> {
        let name = options::family_name(table);
        self.db.cf_handle(name).ok_or_else(|| EngineError(format!("column family {name} is missing")))
    }

    pub fn batch_of(&self, writes: &[Write]) -> Result<WriteBatch, EngineError> {
        let mut batch = WriteBatch::default();
        for write in writes {
            match write {
                Write::Put { table, key, value } => batch.put_cf(self.family(*table)?, key, value),
                Write::Delete { table, key } => batch.delete_cf(self.family(*table)?, key),
                Write::DeleteRange { table, start, end } => {
                    batch.delete_range_cf(self.family(*table)?, start, end);
                }
            }
        }
        Ok(batch)
    }

    pub fn stats(&self) -> EngineStats {
        EngineStats {
            table_bytes: self.sum("rocksdb.live-sst-files-size"),
            memtable_bytes: self.sum("rocksdb.cur-size-all-mem-tables"),
            cache_bytes: self.memory.cache.get_usage() as u64,
            log_bytes: self.log_bytes(),
            compaction_debt_bytes: self.sum("rocksdb.estimate-pending-compaction-bytes"),
            inline_reads: self.inline_reads.load(Ordering::Relaxed),
            pooled_reads: self.pooled_reads.load(Ordering::Relaxed),
        }
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

pub(super) fn engine_error(error: rocksdb::Error) -> EngineError {
    EngineError(error.into_string())
}

/// For what comes while there is no opening.
pub(super) fn between_openings() -> EngineError {
    EngineError("the database is being opened anew".to_owned())
}
