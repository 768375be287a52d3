//! RocksDB: the default engine, embedded.
//!
//! Owns: writes and syncs of the log, opening the database anew after an error from which RocksDB does not recover. The parts: one opening
//! ([`store`]), reads ([`view`]), tuning ([`options`]), the manifest after a power cut ([`manifest`]).
//!
//! Invariants: the log is never skipped. A write and its sync are two calls, so that a write that was refused (nothing is in the store; RocksDB
//! takes no further writes until it recovered) and a sync that failed (unknown what is on disk) cannot be confused. A column family for each
//! profile; no iterator leaves a function. A view keeps its opening of the database open.
//!
//! After a full disk RocksDB recovers by itself, some seconds after there is room again. Any other write that the disk refused (a quota, an
//! input/output error) it holds to be final: [`RocksDb::revive`] then closes the database and opens it again, once the disk takes writes. Reads
//! fail in between, which is as long as a start takes. Damage that RocksDB found stays: that is for an admin.

mod manifest;
mod options;
mod store;
mod view;

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use rocksdb::WriteOptions;
use rocksdb::checkpoint::Checkpoint;

use super::contract::{EngineError, EngineOptions, EngineStats, Profile, Write, WriteError};
use store::{Store, between_openings, engine_error};
pub(crate) use view::RocksView;

/// How long reads may take to let go of the database that is to be opened anew.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Clone)]
pub(crate) struct RocksDb {
    shared: Arc<Shared>,
}

struct Shared {
    folder: PathBuf,
    options: EngineOptions,
    /// `None` between two openings.
    store: ArcSwapOption<Store>,
    /// Ends when the last of this opening is gone.
    open: Mutex<Receiver<()>>,
    /// RocksDB takes no write any more.
    is_broken: AtomicBool,
}

impl RocksDb {
    /// Opens the database in a folder, or makes it there (`create`). Recovers the log up to the first damaged record.
    pub fn open(folder: &Path, options: EngineOptions) -> Result<RocksDb, EngineError> {
        let (store, open) = Store::open(folder, options)?;
        let shared = Shared {
            folder: folder.to_owned(),
            // What was made is there from now on.
            options: EngineOptions { create: false, ..options },
            store: ArcSwapOption::from_pointee(store),
            open: Mutex::new(open),
            is_broken: AtomicBool::new(false),
        };
        Ok(RocksDb { shared: Arc::new(shared) })
    }

    fn store(&self) -> Result<Arc<Store>, EngineError> {
        self.shared.store.load_full().ok_or_else(between_openings)
    }

    pub fn view(&self) -> RocksView {
        RocksView::of(self.shared.store.load_full())
    }

    pub fn read_latest(&self, table: Profile, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        let store = self.store()?;
        let found = store.db.get_pinned_cf(store.family(table)?, key).map_err(engine_error)?;
        Ok(found.map(|value| Bytes::copy_from_slice(&value)))
    }

    pub fn write(&self, writes: &[Write]) -> Result<(), WriteError> {
        let store = self.store().map_err(WriteError::Refused)?;
        let batch = store.batch_of(writes).map_err(WriteError::Refused)?;
        store.db.write_opt(batch, &WriteOptions::default()).map_err(|error| {
            let error = write_error(error.into_string());
            if let WriteError::Refused(EngineError(text)) = &error
                && text.starts_with(IO_ERROR)
                && !text.contains(NO_SPACE)
            {
                self.shared.is_broken.store(true, Ordering::Release);
            }
            error
        })
    }

    pub fn sync(&self) -> Result<(), EngineError> {
        self.store()?.db.flush_wal(true).map_err(engine_error)
    }

    /// Opens the database anew if it takes no writes otherwise. `let_go` drops the views that the caller keeps.
    pub fn revive(&self, let_go: impl Fn()) -> Result<(), EngineError> {
        let shared = &self.shared;
        if !shared.is_broken.load(Ordering::Acquire) {
            return Ok(());
        }
        // Reads go on as long as the disk takes no writes.
        try_disk(&shared.folder)
            .map_err(|error| EngineError(format!("the disk takes no writes: {error}")))?;
        let mut open = shared.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = shared.store.swap(None) {
            let weak = Arc::downgrade(&store);
            drop(store);
            let_go();
            if open.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout)
                && let Some(store) = weak.upgrade()
            {
                shared.store.store(Some(store));
                return Err(EngineError("reads of the database that is to be opened anew go on".to_owned()));
            }
        }
        let (store, next) = Store::open(&shared.folder, shared.options)?;
        *open = next;
        shared.store.store(Some(Arc::new(store)));
        shared.is_broken.store(false, Ordering::Release);
        tracing::warn!("the database was opened anew, after a write that RocksDB does not recover from");
        Ok(())
    }

    pub fn checkpoint(&self, folder: &Path) -> Result<(), EngineError> {
        let store = self.store()?;
        let checkpoint = Checkpoint::new(&store.db).map_err(engine_error)?;
        checkpoint.create_checkpoint(folder).map_err(engine_error)
    }

    pub fn stats(&self) -> EngineStats {
        self.shared.store.load().as_ref().map_or_else(EngineStats::default, |store| store.stats())
    }
}

/// Writes and syncs as much as the recovery of the log may take.
fn try_disk(folder: &Path) -> io::Result<()> {
    let path = folder.join("trial");
    let tried = File::create(&path).and_then(|mut file| {
        let block = [1; 64 << 10];
        for _ in 0..options::LOG_BYTES / block.len() as u64 {
            file.write_all(&block)?;
        }
        file.sync_all()
    });
    fs::remove_file(&path)?;
    tried
}

const IO_ERROR: &str = "IO error: ";
const NO_SPACE: &str = "No space left on device: ";

/// After an error in its background RocksDB answers every write with it: `IO error: While fdatasync: <file>: <reason>`, where the
/// disk is full `IO error: No space left on device: While appending to file: <file>: ...`.
fn write_error(text: String) -> WriteError {
    let operation = text.strip_prefix(IO_ERROR).unwrap_or(&text);
    let operation = operation.strip_prefix(NO_SPACE).unwrap_or(operation);
    let sync = ["While fdatasync", "While fsync", "While sync_file_range"];
    if sync.iter().any(|sync| operation.starts_with(sync)) {
        return WriteError::SyncFailed(EngineError(text));
    }
    WriteError::Refused(EngineError(text))
}
