//! The database: a handle that reads, commits and watches.
//!
//! Owns: opening (which engine, which identity, from where positions go on), the bounded queue to the committer.
//!
//! Does not own: the folder around the engine, its lock, schema versions, the acknowledged marker, backups: they are `folder`, and
//! meet this file in [`Db::open`] and in [`Hooks`].

use std::path::PathBuf;
use std::sync::Arc;

use plop_base::{Exit, Random};
use tokio::sync::{Semaphore, broadcast, mpsc, oneshot, watch};

use crate::batch::Batch;
use crate::codec::{CodecError, decode, encode};
use crate::commit::{CommitError, Committed, Receipt, StoreState, check_limits};
use crate::committer::{Committer, Hooks, OnCommit, Request, Submission, run_as_task, run_on_thread};
use crate::engine::memory::{Memory, MemoryDisk};
use crate::engine::rocks::{RocksDb, RocksOptions};
use crate::engine::{Engine, EngineError, Write};
use crate::keyspace::{Keyspace, KeyspaceInfo, Registry, RegistryError, stored_key};
use crate::meta::{Identity, IdentityRow, LastCommit, OWN_KEYSPACES};
use crate::position::{Position, PositionBase};
use crate::publication::{Board, Publication};
use crate::snapshot::Snapshot;
use crate::stats::{Counters, Stats};

/// Batches that wait for the committer.
const QUEUE_BATCHES: usize = 4096;
/// Kilobytes of batches that wait for the committer.
const QUEUE_KILOBYTES: usize = 32 << 10;

/// How a database is opened.
pub struct Options {
    /// The engine's folder.
    pub path: PathBuf,
    /// The keyspaces of every part of the program.
    pub registry: Vec<KeyspaceInfo>,
    /// Whether the answer to a durable batch waits for the sync. Without it a power cut loses the last answered requests.
    pub sync: bool,
    /// Memory for blocks of tables, in bytes; what is being written takes its share from it.
    pub cache_bytes: usize,
    pub hooks: Hooks,
}

impl Options {
    /// The default: synced, 64 MiB of cache, a failed sync ends the process with [`Exit::SyncFailed`].
    pub fn new(path: impl Into<PathBuf>, registry: Vec<KeyspaceInfo>) -> Options {
        Options { path: path.into(), registry, sync: true, cache_bytes: 64 << 20, hooks: Hooks::default() }
    }
}

impl Default for Hooks {
    fn default() -> Self {
        Hooks {
            acknowledged: Box::new(|_| ()),
            sync_failed: Box::new(|_| std::process::exit(i32::from(Exit::SyncFailed as u8))),
        }
    }
}

/// Why a database was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the declared keyspaces do not fit together: {0}")]
    Registry(#[from] RegistryError),
    #[error("the database cannot be opened: {0}")]
    Engine(#[from] EngineError),
    #[error("the row {row} of the database cannot be read: {error}")]
    Corrupt { row: &'static str, error: CodecError },
    #[error("the committer's thread cannot be started: {0}")]
    Thread(#[source] std::io::Error),
}

/// An open database. Clones share it; it closes when all of them and their snapshots are gone.
#[derive(Clone)]
pub struct Db {
    shared: Arc<Shared>,
}

struct Shared {
    engine: Engine,
    board: Arc<Board>,
    counters: Arc<Counters>,
    registry: Registry,
    identity: Identity,
    queue: mpsc::Sender<Request>,
    room: Arc<Semaphore>,
}

impl Db {
    /// Opens or makes the database in a folder. Blocks while the log is recovered: for the start of the process.
    pub fn open(options: Options, random: &Random) -> Result<Db, OpenError> {
        let engine = RocksDb::open(&options.path, &RocksOptions { cache_bytes: options.cache_bytes })?;
        let engine = Engine::RocksDb(engine);
        let (db, committer, queue) =
            Self::assemble(engine, options.registry, options.sync, options.hooks, random)?;
        std::thread::Builder::new()
            .name("plop-commit".to_owned())
            .spawn(move || run_on_thread(committer, queue))
            .map_err(OpenError::Thread)?;
        Ok(db)
    }

    /// A database of its own in memory. To be called on a tokio runtime: the committer is a task of it.
    pub fn memory(registry: Vec<KeyspaceInfo>, random: &Random) -> Result<Db, OpenError> {
        Self::memory_on(&MemoryDisk::new(), registry, Hooks::default(), random)
    }

    /// A database on a simulated disk, which another one may open after this one is gone. To be called on a tokio runtime.
    pub fn memory_on(
        disk: &MemoryDisk,
        registry: Vec<KeyspaceInfo>,
        hooks: Hooks,
        random: &Random,
    ) -> Result<Db, OpenError> {
        let engine = Engine::Memory(Memory::new(disk.clone()));
        let (db, committer, queue) = Self::assemble(engine, registry, true, hooks, random)?;
        tokio::spawn(run_as_task(committer, queue));
        Ok(db)
    }

    fn assemble(
        engine: Engine,
        registry: Vec<KeyspaceInfo>,
        sync: bool,
        hooks: Hooks,
        random: &Random,
    ) -> Result<(Db, Committer, mpsc::Receiver<Request>), OpenError> {
        let registry = Registry::new(OWN_KEYSPACES, registry)?;
        let (identity, base) = settle_identity(&engine, random)?;
        let board = Arc::new(Board::new(base.last()));
        let counters = Arc::new(Counters::default());
        let (sender, receiver) = mpsc::channel(QUEUE_BATCHES);
        let committer = Committer {
            engine: engine.clone(),
            board: board.clone(),
            counters: counters.clone(),
            base,
            hooks,
            sync,
            unsynced: 0,
        };
        let room = Arc::new(Semaphore::new(QUEUE_KILOBYTES));
        let shared = Shared { engine, board, counters, registry, identity, queue: sender, room };
        Ok((Db { shared: Arc::new(shared) }, committer, receiver))
    }

    /// A consistent view of everything published, and perhaps of what is about to be.
    pub fn snapshot(&self) -> Snapshot {
        self.shared.board.snapshot(&self.shared.engine)
    }

    /// Commits a batch; the answer comes when it is acknowledged.
    pub async fn commit(&self, batch: Batch) -> Result<Committed, CommitError> {
        self.submit(batch, |_| ()).await?.await
    }

    /// Queues a batch. The order in which calls get room is the order of commits, so one caller's calls, each awaited, commit in order. Awaits
    /// only that room; the receipt resolves when the batch is acknowledged. `on_commit` runs on the committer, in commit order, after the sync and
    /// before the published position advances; it must be quick and must not block or panic.
    pub async fn submit(
        &self,
        batch: Batch,
        on_commit: impl FnOnce(&Committed) + Send + 'static,
    ) -> Result<Receipt, CommitError> {
        let shared = &self.shared;
        check_limits(&batch, &shared.registry)?;
        match shared.board.current_state() {
            StoreState::Writable => {}
            StoreState::ReadOnly { reason } => return Err(CommitError::ReadOnly(reason)),
            StoreState::Stopped => return Err(stopped()),
        }
        // At most 8,000: a batch is limited.
        let kilobytes = u32::try_from(batch.size() / 1024 + 1).unwrap_or(u32::MAX);
        let room = shared.room.clone().acquire_many_owned(kilobytes).await.map_err(|_| stopped())?;
        let (answer, outcome) = oneshot::channel();
        let on_commit: OnCommit = Box::new(on_commit);
        let submission = Submission { batch, on_commit, answer, room };
        shared.queue.send(Request::Commit(submission)).await.map_err(|_| stopped())?;
        Ok(Receipt { outcome })
    }

    /// Everything at or below it is visible to every snapshot taken from now on.
    pub fn published(&self) -> Position {
        self.shared.board.published()
    }

    /// Publications from now on. A subscriber that lagged takes everything as changed.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Publication>> {
        self.shared.board.subscribe()
    }

    /// Whether the store takes writes.
    pub fn state(&self) -> watch::Receiver<StoreState> {
        self.shared.board.state()
    }

    /// Which database this is.
    pub fn identity(&self) -> Identity {
        self.shared.identity
    }

    /// Figures for metrics.
    pub fn stats(&self) -> Stats {
        let queued = self.shared.queue.max_capacity() - self.shared.queue.capacity();
        self.shared.counters.stats(queued, self.shared.engine.stats())
    }

    /// While the store is read-only: tries a write and its sync; success makes it writable. Its error says why not.
    pub async fn probe(&self) -> Result<(), EngineError> {
        let (answer, outcome) = oneshot::channel();
        let ended = || EngineError("the store has stopped".to_owned());
        self.shared.queue.send(Request::Probe(answer)).await.map_err(|_| ended())?;
        outcome.await.unwrap_or_else(|_| Err(ended()))
    }

    /// A complete copy of the database in `folder`, which must not exist. It holds everything up to the position returned.
    pub async fn checkpoint(&self, folder: PathBuf) -> Result<Position, EngineError> {
        let db = self.clone();
        let copied = tokio::task::spawn_blocking(move || {
            let position = db.published();
            db.shared.engine.checkpoint(&folder).map(|()| position)
        });
        copied.await.unwrap_or_else(|error| Err(EngineError(error.to_string())))
    }

    /// Commits what is queued, syncs, and ends the committer; later submissions are refused. The engine's files are free once
    /// the other handles and all snapshots are gone too.
    pub async fn close(self) {
        let (answer, ended) = oneshot::channel();
        if self.shared.queue.send(Request::Stop(answer)).await.is_ok() {
            // A committer that ended otherwise has let go as well.
            let _ = ended.await;
        }
    }
}

fn stopped() -> CommitError {
    CommitError::ReadOnly("the store has stopped".into())
}

/// Reads who the database is and where its positions go on; gives a new one its identity. The start of the positions is written and synced, so
/// that a crash before the first commit does not hand them out again.
fn settle_identity(engine: &Engine, random: &Random) -> Result<(Identity, PositionBase), OpenError> {
    let stored = read_row::<IdentityRow>(engine)?;
    let last_commit = read_row::<LastCommit>(engine)?;
    let identity = stored.unwrap_or_else(|| {
        let mut database_id = [0; 16];
        random.fill(&mut database_id);
        Identity { database_id, restore_generation: 0 }
    });
    let base = match last_commit {
        None => PositionBase::fresh(),
        Some(last) => PositionBase::after_restart(identity.restore_generation, last),
    };
    engine.write(&[row::<IdentityRow>(&identity), row::<LastCommit>(&base.last())])?;
    engine.sync()?;
    Ok((identity, base))
}

fn read_row<K: Keyspace<Key = ()>>(engine: &Engine) -> Result<Option<K::Value>, OpenError> {
    let stored = engine.read_latest(K::PROFILE, &stored_key::<K>(&()).bytes)?;
    let decoded = stored.map(|bytes| decode(&bytes)).transpose();
    decoded.map_err(|error| OpenError::Corrupt { row: K::NAME, error })
}

fn row<K: Keyspace<Key = ()>>(value: &K::Value) -> Write {
    Write::Put { table: K::PROFILE, key: stored_key::<K>(&()).bytes, value: encode(value) }
}
