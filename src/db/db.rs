//! The database: a handle that reads, commits and watches.
//!
//! Owns: the bounded queue to the committer. Does not own: how a database is opened ([`crate::open`]), what a commit does
//! ([`crate::committer`]).

use std::sync::Arc;

use tokio::sync::{Semaphore, broadcast, mpsc, oneshot, watch};

use crate::batch::Batch;
use crate::check::{self, CheckReport, ReferenceCheck};
use crate::commit::{CommitError, Committed, Receipt, StoreState, check_limits};
use crate::committer::{Committer, Hooks, OnCommit, Request, Submission};
use crate::engine::{Engine, EngineError};
use crate::folder::Folder;
use crate::keyspace::Registry;
use crate::meta::Identity;
use crate::position::{Position, PositionBase};
use crate::publication::{Board, Publication};
use crate::snapshot::Snapshot;
use crate::space::Space;
use crate::stats::{Counters, Stats};

/// Batches that wait for the committer.
const QUEUE_BATCHES: usize = 4096;
/// Kilobytes of batches that wait for the committer.
const QUEUE_KILOBYTES: usize = 32 << 10;

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
    /// Locked as long as the database is open; none for a database in memory.
    folder: Option<Folder>,
}

/// What a database is put together from.
pub(crate) struct Parts {
    pub engine: Engine,
    pub registry: Registry,
    pub identity: Identity,
    pub base: PositionBase,
    pub sync: bool,
    pub hooks: Hooks,
    pub space: Option<Space>,
    pub folder: Option<Folder>,
}

impl Db {
    /// The handle, and the committer with its queue, which the caller starts.
    pub(crate) fn assemble(parts: Parts) -> (Db, Committer, mpsc::Receiver<Request>) {
        let Parts { engine, registry, identity, base, sync, hooks, space, folder } = parts;
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
            space,
            unsynced: 0,
        };
        let room = Arc::new(Semaphore::new(QUEUE_KILOBYTES));
        let shared = Shared { engine, board, counters, registry, identity, queue: sender, room, folder };
        (Db { shared: Arc::new(shared) }, committer, receiver)
    }

    /// A consistent view of everything published, and perhaps of what is about to be.
    pub fn snapshot(&self) -> Snapshot {
        self.shared.board.snapshot(&self.shared.engine)
    }

    /// Commits a batch; the answer comes when it is acknowledged.
    pub async fn commit(&self, batch: Batch) -> Result<Committed, CommitError> {
        self.submit(batch, |_| ()).await?.await
    }

    /// Commits a batch under guards ([`crate::Guards`]). They are held until the batch has ended, also where the caller is dropped before it is
    /// answered: whoever gets them next reads what the batch wrote.
    pub async fn commit_under(
        &self,
        guards: impl Send + 'static,
        batch: Batch,
    ) -> Result<Committed, CommitError> {
        self.submit(batch, move |_| drop(guards)).await?.await
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

    /// Reads every row, decodes it, and runs the reference checks of the parts above. Other work goes on meanwhile.
    pub async fn check(&self, references: &[Box<dyn ReferenceCheck>]) -> CheckReport {
        check::check(&self.snapshot(), &self.shared.registry, references).await
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.shared.registry
    }

    /// What a backup needs to know of the database.
    pub(crate) fn parts_for_backup(&self) -> (&Engine, &Registry, Option<&Folder>) {
        (&self.shared.engine, &self.shared.registry, self.shared.folder.as_ref())
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
