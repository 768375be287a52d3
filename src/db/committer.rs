//! The committer: the one writer of the engine.
//!
//! Owns: the order of commits, group commit, the position each batch takes, publication, what happens when the disk says no. One
//! instance for each database: a thread for RocksDB, a task of the caller's runtime for Memory, so that a simulation is deterministic.
//!
//! A group goes through these steps, in this order, for all of its batches together:
//! 1. each batch in the order of the queue: expects against the store and everything earlier, positions filled in ([`group`]);
//! 2. if the disk has room, one [`Engine::write`]; refused: the store turns read-only, every batch of the group is answered `ReadOnly`;
//! 3. one [`Engine::sync`] if a batch is durable; failed: [`Hooks::sync_failed`] (which ends the process), nobody is answered;
//! 4. [`Hooks::acknowledged`] with the position now on disk;
//! 5. each batch's `on_commit`, in commit order;
//! 6. the published position moves to the end of the group, subscribers get the notices;
//! 7. the receipts are answered.
//!
//! Invariants: nothing is acknowledged before its sync (step 3) and nothing published before all `on_commit`s below it ran. A number is never
//! given out twice, also when its batch was refused. The `LastCommit` row goes with every group.

mod group;
mod request;

use std::ops::ControlFlow;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::batch::Durability;
use crate::commit::{CommitError, StoreState};
use crate::engine::{Engine, EngineError, Write, WriteError};
use crate::keyspace::{Keyspace, stored_key};
use crate::meta::LastCommit;
use crate::position::{Position, PositionBase};
use crate::publication::Board;
use crate::space::Space;
use crate::stats::Counters;
use group::Group;
pub(crate) use request::{OnCommit, Request, Submission};

/// A sync happens at the latest after so many commits, also if all are relaxed: it bounds which positions a power cut can take with it.
pub(crate) const UNSYNCED_COMMITS_LIMIT: u64 = 1 << 14;

/// Requests taken from the queue at once.
const TAKEN_AT_ONCE: usize = 512;
/// A group takes no further batch once it has this many bytes: writes stay of a size that the log and the memory bounds are made for.
const GROUP_BYTES: usize = 4 << 20;

/// What others do at certain steps. Called on the committer: quick, and without waiting for the database.
pub struct Hooks {
    /// Everything up to this position is on disk; called after each sync, before anyone is answered.
    pub acknowledged: Box<dyn FnMut(Position) + Send>,
    /// A sync failed: what the disk holds is unknown. Ends the process; if it returns, the store stops for good.
    pub sync_failed: Box<dyn FnMut(&EngineError) + Send>,
}

pub(crate) struct Committer {
    pub engine: Engine,
    pub board: Arc<Board>,
    pub counters: Arc<Counters>,
    pub base: PositionBase,
    pub hooks: Hooks,
    /// Whether durable batches wait for the sync: the documented knob.
    pub sync: bool,
    /// Watches the free space; none for a database in memory.
    pub space: Option<Space>,
    /// Commits since the last sync.
    pub unsynced: u64,
}

impl Drop for Committer {
    fn drop(&mut self) {
        // Also when a hook panicked: whoever waits for the store then learns that it is over.
        self.board.set_state(StoreState::Stopped);
        self.board.forget_view();
    }
}

/// Runs on the runtime of the caller.
pub(crate) async fn run_as_task(mut committer: Committer, mut queue: mpsc::Receiver<Request>) {
    let mut taken = Vec::new();
    while queue.recv_many(&mut taken, TAKEN_AT_ONCE).await > 0 {
        if let ControlFlow::Break(stop) = committer.work(taken.drain(..)) {
            drop((committer, queue));
            return stop.answer();
        }
    }
    committer.finish();
}

/// Runs on a thread of its own.
pub(crate) fn run_on_thread(mut committer: Committer, mut queue: mpsc::Receiver<Request>) {
    let mut taken = Vec::new();
    while queue.blocking_recv_many(&mut taken, TAKEN_AT_ONCE) > 0 {
        if let ControlFlow::Break(stop) = committer.work(taken.drain(..)) {
            drop((committer, queue));
            return stop.answer();
        }
    }
    committer.finish();
}

/// Why the committer ended, and who is to be told once it has let go of the engine.
pub(crate) struct Stop(Option<oneshot::Sender<()>>);

impl Stop {
    fn answer(self) {
        if let Some(waiting) = self.0 {
            // Nobody has to wait for it.
            let _ = waiting.send(());
        }
    }
}

impl Committer {
    /// Works through requests in their order.
    fn work(&mut self, requests: impl Iterator<Item = Request>) -> ControlFlow<Stop> {
        let mut group = Group::default();
        for request in requests {
            match request {
                Request::Commit(submission) => {
                    self.admit(&mut group, submission);
                    if group.bytes() >= GROUP_BYTES {
                        self.commit(std::mem::take(&mut group))?;
                    }
                }
                Request::Probe(answer) => {
                    self.commit(std::mem::take(&mut group))?;
                    let outcome = self.probe()?;
                    let _ = answer.send(outcome);
                }
                Request::Stop(answer) => {
                    self.commit(std::mem::take(&mut group))?;
                    self.finish();
                    return ControlFlow::Break(Stop(Some(answer)));
                }
            }
        }
        self.commit(group)
    }

    /// Adds a batch to the group, or answers why not.
    fn admit(&mut self, group: &mut Group, submission: Submission) {
        if let StoreState::ReadOnly { reason } = self.board.current_state() {
            let _ = submission.answer.send(Err(CommitError::ReadOnly(reason)));
            return;
        }
        if let Err(refused) = group.admit(&self.engine, submission, || self.base.take()) {
            if matches!(refused.error, CommitError::Conflict { .. }) {
                Counters::count(&self.counters.conflicts, 1);
            }
            let _ = refused.answer.send(Err(refused.error));
        }
    }

    /// Steps 2 to 7.
    fn commit(&mut self, mut group: Group) -> ControlFlow<Stop> {
        if group.is_empty() {
            return ControlFlow::Continue(());
        }
        group.push(self.last_commit_row());
        match self.write(group.writes()) {
            Ok(()) => {}
            Err(WriteError::Refused(error)) => {
                self.refuse(group, &error);
                return ControlFlow::Continue(());
            }
            Err(WriteError::SyncFailed(error)) => return self.end(&error),
        }
        self.unsynced += group.len() as u64;
        let durable = self.sync && group.durability() == Durability::Durable;
        if durable || self.unsynced >= UNSYNCED_COMMITS_LIMIT {
            self.sync()?;
        }
        Counters::count(&self.counters.groups, 1);
        Counters::count(&self.counters.commits, group.len() as u64);
        Counters::count(&self.counters.written_bytes, group.bytes() as u64);
        self.publish(group);
        ControlFlow::Continue(())
    }

    fn publish(&mut self, group: Group) {
        self.board.wrote(self.base.last());
        let mut notices = Vec::new();
        let mut answers = Vec::new();
        for accepted in group.into_accepted() {
            (accepted.on_commit)(&accepted.committed);
            notices.extend(accepted.notices);
            answers.push((accepted.answer, accepted.committed, accepted.room));
        }
        self.board.publish(self.base.last(), notices);
        for (answer, committed, _room) in answers {
            // Who dropped the receipt does not want to know.
            let _ = answer.send(Ok(committed));
        }
    }

    /// The write was refused before any sync: nothing of the group is in the store.
    fn refuse(&mut self, group: Group, error: &EngineError) {
        tracing::error!(%error, batches = group.len(), "a write was refused; the store is read-only");
        let reason: Arc<str> = error.0.as_str().into();
        self.board.set_state(StoreState::ReadOnly { reason: reason.clone() });
        for accepted in group.into_accepted() {
            let _ = accepted.answer.send(Err(CommitError::ReadOnly(reason.clone())));
        }
    }

    /// Writes if there is room to.
    fn write(&self, writes: &[Write]) -> Result<(), WriteError> {
        match self.space.as_ref().map_or(Ok(()), Space::check) {
            Ok(()) => self.engine.write(writes),
            Err(full) => Err(WriteError::Refused(EngineError(full))),
        }
    }

    /// A sync failed: nobody is answered any more.
    fn end<T>(&mut self, error: &EngineError) -> ControlFlow<Stop, T> {
        tracing::error!(%error, "a sync to disk failed; it is not tried again");
        (self.hooks.sync_failed)(error);
        ControlFlow::Break(Stop(None))
    }

    fn sync(&mut self) -> ControlFlow<Stop> {
        if let Err(error) = self.engine.sync() {
            return self.end(&error);
        }
        self.unsynced = 0;
        Counters::count(&self.counters.syncs, 1);
        (self.hooks.acknowledged)(Position::end_of_commit(self.base.last()));
        ControlFlow::Continue(())
    }

    /// A test write that is synced ends the read-only state.
    fn probe(&mut self) -> ControlFlow<Stop, Result<(), EngineError>> {
        // Numbers that refused batches took are not given again, and the sync acknowledges up to them.
        let probe = self.last_commit_row();
        let room = self.space.as_ref().map_or(Ok(()), Space::check_to_go_on).map_err(EngineError);
        let revived = room.and_then(|()| self.engine.revive(|| self.board.forget_view()));
        match revived.and_then(|()| self.recovered()) {
            Err(error) => return ControlFlow::Continue(Err(error)),
            Ok(last) if last < self.board.written() => {
                let written = self.board.written();
                let lost = format!("commit {written} was there, and the log was recovered up to {last} only");
                return self.end(&EngineError(lost));
            }
            Ok(_) => {}
        }
        match self.engine.write(&[probe]) {
            Ok(()) => {}
            Err(WriteError::Refused(error)) => return ControlFlow::Continue(Err(error)),
            Err(WriteError::SyncFailed(error)) => return self.end(&error),
        }
        self.sync()?;
        self.board.set_state(StoreState::Writable);
        ControlFlow::Continue(Ok(()))
    }

    /// The last commit in the engine, which may have been opened anew and have recovered its log.
    fn recovered(&self) -> Result<u64, EngineError> {
        let stored = self.engine.read_latest(LastCommit::PROFILE, &stored_key::<LastCommit>(&()).bytes)?;
        let last = stored.map_or(Ok(0), |bytes| crate::codec::decode(&bytes));
        last.map_err(|error| EngineError(error.to_string()))
    }

    /// What was relaxed gets its sync, so that an orderly end loses nothing.
    fn finish(&mut self) {
        if self.unsynced > 0 && self.board.current_state() == StoreState::Writable {
            // Breaking is what comes next in any case.
            let _ = self.sync();
        }
    }

    fn last_commit_row(&self) -> Write {
        Write::Put {
            table: LastCommit::PROFILE,
            key: stored_key::<LastCommit>(&()).bytes,
            value: crate::codec::encode(&self.base.last()),
        }
    }
}
