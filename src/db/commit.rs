//! How a commit ends.
//!
//! Owns: the outcomes, and the limits that a batch is held to before it is queued.
//!
//! Invariant: the limits are those of the strictest engine that the store may move to, so every engine refuses the same
//! batches.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::sync::oneshot;

use crate::batch::{Batch, Op};
use crate::keyspace::{KeyspaceInfo, Registry};
use crate::position::Position;

/// Largest stored key in bytes, its two bytes of keyspace id included (FoundationDB's limit).
pub const MAX_KEY_BYTES: usize = 10_000;
/// Largest stored value in bytes (below FoundationDB's 100,000; a PDU, at most 65,536, fits).
pub const MAX_VALUE_BYTES: usize = 90_000;
/// Largest batch, as [`Batch::size`] counts it (below FoundationDB's 10 MB).
pub const MAX_BATCH_BYTES: usize = 8_000_000;

/// A batch is part of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// Index 0 of the batch's positions.
    pub position: Position,
    pub(crate) commit: u64,
}

impl Committed {
    pub(crate) fn new(commit: u64) -> Committed {
        Committed { position: Position::of_commit(commit, 0), commit }
    }

    /// What `Position::pending(index)` became.
    pub fn position_at(&self, index: u32) -> Position {
        Position::of_commit(self.commit, index)
    }
}

/// What a limit is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Key,
    Value,
    Batch,
}

/// Why a batch is not part of the store (except [`CommitError::Unknown`], where it may be).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// A row was not as expected; load again and decide anew.
    #[error("a row of keyspace {keyspace} is not as expected")]
    Conflict {
        keyspace: &'static str,
        /// The encoded key. It may name users and rooms: for comparison, not for logs.
        key: Vec<u8>,
    },
    /// The store takes no writes at present, and why. Nothing was written.
    #[error("the store is read-only: {0}")]
    ReadOnly(Arc<str>),
    /// The store ended before it answered: the batch may be there or not, only reading tells.
    #[error("the store ended before the outcome was known")]
    Unknown,
    #[error("{part:?} of {bytes} bytes in keyspace {keyspace}; the limit is {limit}")]
    TooLarge { part: Part, keyspace: &'static str, bytes: usize, limit: usize },
    /// A row that an expect or a counter depends on cannot be read. Nothing was written.
    #[error("a row of keyspace {keyspace} cannot be read: {reason}")]
    Unreadable { keyspace: &'static str, reason: String },
    /// A mistake in the composition of the program: the keyspace was not declared when the database was opened.
    #[error("keyspace {0} is not registered")]
    Unregistered(&'static str),
}

/// Whether the store takes writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreState {
    Writable,
    /// A write was refused before it was synced. Reads go on; a probe that succeeds ends it.
    ReadOnly {
        reason: Arc<str>,
    },
    /// The committer has ended and will not come back in this process.
    Stopped,
}

/// The outcome of a submitted batch, once it is acknowledged. Dropping it changes nothing about the batch.
#[derive(Debug)]
#[must_use = "only the receipt tells whether the batch was committed"]
pub struct Receipt {
    pub(crate) outcome: oneshot::Receiver<Result<Committed, CommitError>>,
}

impl Future for Receipt {
    type Output = Result<Committed, CommitError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(Pin::new(&mut self.outcome).poll(context));
        Poll::Ready(answer.unwrap_or(Err(CommitError::Unknown)))
    }
}

/// Refuses what no engine may store.
pub(crate) fn check_limits(batch: &Batch, registry: &Registry) -> Result<(), CommitError> {
    for expect in &batch.expects {
        check_row(registry, expect.keyspace, expect.key.len(), 0)?;
    }
    for op in &batch.ops {
        match op {
            Op::Put { keyspace, key, value } => {
                check_row(registry, keyspace, key.bytes.len(), value.bytes.len())?
            }
            Op::Delete { keyspace, key } | Op::Add { keyspace, key, .. } => {
                check_row(registry, keyspace, key.bytes.len(), 0)?;
            }
            Op::DeleteRange { keyspace, start, end } => {
                check_row(registry, keyspace, start.len().max(end.len()), 0)?;
            }
        }
    }
    let keyspace = batch.ops.first().map_or("none", |op| op.keyspace().name);
    check_size(Part::Batch, keyspace, batch.size(), MAX_BATCH_BYTES)
}

fn check_row(
    registry: &Registry,
    keyspace: &KeyspaceInfo,
    key: usize,
    value: usize,
) -> Result<(), CommitError> {
    if !registry.contains(keyspace.id) {
        return Err(CommitError::Unregistered(keyspace.name));
    }
    check_size(Part::Key, keyspace.name, key, MAX_KEY_BYTES)?;
    check_size(Part::Value, keyspace.name, value, MAX_VALUE_BYTES)
}

fn check_size(part: Part, keyspace: &'static str, bytes: usize, limit: usize) -> Result<(), CommitError> {
    if bytes > limit { Err(CommitError::TooLarge { part, keyspace, bytes, limit }) } else { Ok(()) }
}
