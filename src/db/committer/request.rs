//! What the committer is asked, as it stands in the queue.

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::batch::Batch;
use crate::commit::{CommitError, Committed};
use crate::engine::EngineError;

pub(crate) type OnCommit = Box<dyn FnOnce(&Committed) + Send>;

/// What the committer is asked.
pub(crate) enum Request {
    Commit(Submission),
    /// Find out whether a read-only store takes writes again.
    Probe(oneshot::Sender<Result<(), EngineError>>),
    /// Finish, sync, let go of the engine, then answer.
    Stop(oneshot::Sender<()>),
}

pub(crate) struct Submission {
    pub batch: Batch,
    pub on_commit: OnCommit,
    pub answer: oneshot::Sender<Result<Committed, CommitError>>,
    /// The batch's share of the queue, given back when it is done.
    pub room: OwnedSemaphorePermit,
}
