//! A group: the batches that share one write and one sync.
//!
//! Owns: checking expects against the store with everything earlier in the group laid over it, filling in positions, turning
//! counters into plain rows.
//!
//! Invariant: a batch that is refused leaves the group as it was: everything that can fail is done before anything is laid over.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::request::{OnCommit, Submission};
use crate::batch::{Batch, Counter, Durability, Expect, Notice, Op};
use crate::codec::{Encoded, decode, encode};
use crate::commit::{CommitError, Committed};
use crate::engine::{Engine, Write};
use crate::keyspace::KeyspaceInfo;
use crate::position::Position;

type Answer = oneshot::Sender<Result<Committed, CommitError>>;

#[derive(Default)]
pub(super) struct Group {
    writes: Vec<Write>,
    overlay: Overlay,
    accepted: Vec<Accepted>,
    durable: bool,
    bytes: usize,
}

/// A batch that is part of the group.
pub(super) struct Accepted {
    pub committed: Committed,
    pub on_commit: OnCommit,
    pub notices: BTreeSet<Notice>,
    pub answer: Answer,
    pub room: OwnedSemaphorePermit,
}

/// A batch that is not.
pub(super) struct Refused {
    pub error: CommitError,
    pub answer: Answer,
}

/// What the writes of the group change, for look-ups.
#[derive(Default)]
struct Overlay {
    /// Key to the write that touched it last.
    rows: BTreeMap<Vec<u8>, usize>,
    /// Ranges deleted; rows written into them later are in `rows`.
    deleted: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Group {
    /// Adds a batch if its expects hold. `number` is asked for the commit number once they do.
    pub fn admit(
        &mut self,
        engine: &Engine,
        submission: Submission,
        number: impl FnOnce() -> u64,
    ) -> Result<(), Refused> {
        let Submission { batch, on_commit, answer, room } = submission;
        let counters = match self.check(engine, &batch) {
            Ok(counters) => counters,
            Err(error) => return Err(Refused { error, answer }),
        };
        self.durable |= batch.durability == Durability::Durable;
        self.bytes += batch.size();
        let committed = Committed::new(number());
        self.apply(batch.ops, committed.commit, counters);
        self.accepted.push(Accepted { committed, on_commit, notices: batch.notices, answer, room });
        Ok(())
    }

    /// Adds a row of the committer's own.
    pub fn push(&mut self, write: Write) {
        self.writes.push(write);
    }

    pub fn is_empty(&self) -> bool {
        self.accepted.is_empty()
    }

    /// Batches in the group.
    pub fn len(&self) -> usize {
        self.accepted.len()
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn durability(&self) -> Durability {
        if self.durable { Durability::Durable } else { Durability::Relaxed }
    }

    pub fn writes(&self) -> &[Write] {
        &self.writes
    }

    pub fn into_accepted(self) -> Vec<Accepted> {
        self.accepted
    }

    /// Checks the expects, and reads the counters that the batch adds to (one value for each add, in their order).
    fn check(&self, engine: &Engine, batch: &Batch) -> Result<Vec<Counter>, CommitError> {
        for Expect { keyspace, key, value } in &batch.expects {
            if self.current(engine, keyspace, key)?.as_deref() != value.as_deref() {
                let key = key.get(2..).unwrap_or_default().to_vec();
                return Err(CommitError::Conflict { keyspace: keyspace.name, key });
            }
        }
        let adds = batch.ops.iter().filter_map(|op| match op {
            Op::Add { keyspace, key, .. } => Some((keyspace, key)),
            _ => None,
        });
        adds.map(|(keyspace, key)| {
            let current = self.current(engine, keyspace, &key.bytes)?;
            let decoded = current.map_or(Ok(Counter::default()), |bytes| decode(&bytes));
            decoded.map_err(|error| unreadable(keyspace, error))
        })
        .collect()
    }

    /// The row as the next batch would find it.
    fn current(
        &self,
        engine: &Engine,
        keyspace: &KeyspaceInfo,
        key: &[u8],
    ) -> Result<Option<Cow<'_, [u8]>>, CommitError> {
        if let Some(row) = self.overlay.get(&self.writes, key) {
            return Ok(row.map(Cow::Borrowed));
        }
        let stored =
            engine.read_latest(keyspace.profile, key).map_err(|error| unreadable(keyspace, error))?;
        Ok(stored.map(|value| Cow::Owned(value.into())))
    }

    fn apply(&mut self, ops: Vec<Op>, commit: u64, counters: Vec<Counter>) {
        let mut counters = counters.into_iter();
        for op in ops {
            let write = match op {
                Op::Put { keyspace, key, value } => {
                    Write::Put { table: keyspace.profile, key: fill(key, commit), value: fill(value, commit) }
                }
                Op::Delete { keyspace, key } => {
                    Write::Delete { table: keyspace.profile, key: fill(key, commit) }
                }
                Op::DeleteRange { keyspace, start, end } => {
                    Write::DeleteRange { table: keyspace.profile, start, end }
                }
                Op::Add { keyspace, key, delta } => {
                    let before_batch = counters.next().unwrap_or_default();
                    let key = fill(key, commit);
                    // Rows laid over a counter's keyspace were encoded as counters by `Batch::put` or here.
                    let before = match self.overlay.get(&self.writes, &key) {
                        Some(row) => row.and_then(|bytes| decode(bytes).ok()).unwrap_or_default(),
                        None => before_batch,
                    };
                    let after = Counter(before.0.saturating_add(delta));
                    Write::Put { table: keyspace.profile, key, value: encode(&after) }
                }
            };
            self.overlay.note(&write, self.writes.len());
            self.writes.push(write);
        }
    }
}

impl Overlay {
    /// `None`: the group does not touch the row; `Some(None)`: it deletes it.
    fn get<'a>(&self, writes: &'a [Write], key: &[u8]) -> Option<Option<&'a [u8]>> {
        if let Some(write) = self.rows.get(key).and_then(|index| writes.get(*index)) {
            return Some(match write {
                Write::Put { value, .. } => Some(value),
                Write::Delete { .. } | Write::DeleteRange { .. } => None,
            });
        }
        let deleted = |(start, end): &(Vec<u8>, Vec<u8>)| start.as_slice() <= key && key < end.as_slice();
        self.deleted.iter().any(deleted).then_some(None)
    }

    fn note(&mut self, write: &Write, index: usize) {
        match write {
            Write::Put { key, .. } | Write::Delete { key, .. } => {
                self.rows.insert(key.clone(), index);
            }
            Write::DeleteRange { start, end, .. } => {
                let covered: Vec<_> =
                    self.rows.range(start.clone()..end.clone()).map(|(key, _)| key.clone()).collect();
                for key in covered {
                    self.rows.remove(&key);
                }
                self.deleted.push((start.clone(), end.clone()));
            }
        }
    }
}

/// Puts the positions of the commit where they are pending.
fn fill(encoded: Encoded, commit: u64) -> Vec<u8> {
    let Encoded { mut bytes, slots } = encoded;
    for slot in slots {
        let position = Position::of_commit(commit, slot.index).to_bytes();
        let start = slot.offset as usize;
        // The encoder reserved these bytes.
        if let Some(place) = bytes.get_mut(start..start + position.len()) {
            place.copy_from_slice(&position);
        }
    }
    bytes
}

fn unreadable(keyspace: &KeyspaceInfo, error: impl std::fmt::Display) -> CommitError {
    CommitError::Unreadable { keyspace: keyspace.name, reason: error.to_string() }
}
