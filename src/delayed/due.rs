//! The work of sending events whose time has come.
//!
//! Owns: finding them, and what becomes of those that cannot be sent. Does not own: sending ([`crate::sending`]), whose turn it is
//! ([`crate::at_work`]).
//!
//! Invariants: none is sent before its time. Those of one room go one after the other; rooms do not wait for each other. What fails because of the
//! store is tried again later, and keeps no other from being sent.

use std::pin::pin;
use std::time::Duration;

use plop_db::{Batch, CommitError, Direction, KeyRange, Pages, ReadError};

use crate::at_work::AtWork;
use crate::delayed::Delayed;
use crate::refusal::DelayRefusal;
use crate::schema::{DelayedEvents, DelayedRow, DueDelayed, End};
use crate::sending::failure;

/// Events that are looked at together.
const PAGE: usize = 100;
/// The longest sleep: the machine's clock may be set forward meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// When to try again what the store did not take.
const AGAIN: Duration = Duration::from_secs(30);

/// The store did not do its part; the work is taken up again later.
#[derive(Debug, thiserror::Error)]
pub enum DueError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error("{0}")]
    Postponing(DelayRefusal),
}

/// What a look found.
struct Found {
    /// Everything that is due is known.
    all: bool,
    /// How long to wait for more.
    wait: Duration,
}

impl Delayed {
    /// Sends what is due, for ever.
    pub async fn run(&self) -> Result<(), DueError> {
        let parts = self.parts();
        let mut at_work = AtWork::default();
        loop {
            let found = self.find(&mut at_work).await?;
            let mut pause = pin!(parts.clock.timeout(found.wait, parts.earlier.notified()));
            loop {
                at_work.begin(|id| self.send_one(id));
                tokio::select! {
                    Some(done) = at_work.next() => done?,
                    _ = &mut pause => break,
                }
                if !found.all && at_work.has_place() {
                    break;
                }
            }
        }
    }

    /// Sends what is due by now; how long to wait for more.
    pub async fn catch_up(&self) -> Result<Duration, DueError> {
        let mut at_work = AtWork::default();
        loop {
            let found = self.find(&mut at_work).await?;
            if at_work.is_empty() {
                return Ok(found.wait);
            }
            at_work.begin(|id| self.send_one(id));
            while let Some(done) = at_work.next().await {
                done?;
                at_work.begin(|id| self.send_one(id));
            }
        }
    }

    /// Finds what is due by now and not known yet.
    async fn find(&self, at_work: &mut AtWork<'_, DueError>) -> Result<Found, DueError> {
        let parts = self.parts();
        let now = parts.clock.now();
        let mut pages = Pages::new(KeyRange::<DueDelayed>::all().to(&now), PAGE);
        loop {
            if at_work.is_full() {
                return Ok(Found { all: false, wait: LONGEST_SLEEP });
            }
            let snapshot = parts.db.snapshot();
            let Some(due) = pages.next(&snapshot).await? else { break };
            let new = due.into_iter().map(|(key, ())| key).filter(|(.., id)| !at_work.knows(id));
            let (new, ids): (Vec<_>, Vec<String>) = new.map(|key| (key.clone(), key.2)).unzip();
            let rows = snapshot.get_many::<DelayedEvents>(&ids).await?;
            let mut dangling = Batch::relaxed();
            for ((key, id), row) in new.iter().zip(ids).zip(rows) {
                match row {
                    Some(row) => at_work.add(row.room, id),
                    // No batch leaves one behind; damage must not become a loop.
                    None => dangling.delete::<DueDelayed>(key),
                }
            }
            if !dangling.is_empty() {
                parts.db.commit(dangling).await?;
            }
        }
        let later = KeyRange::<DueDelayed>::all().after(&now);
        let later = parts.db.snapshot().scan(later, Direction::Forward, 1).await?;
        let wait = later.rows.first().map(|((due, ..), ())| due.since(now));
        Ok(Found { all: true, wait: wait.map_or(LONGEST_SLEEP, |wait| wait.min(LONGEST_SLEEP)) })
    }

    /// Sends one, now or later.
    async fn send_one(&self, id: String) -> Result<(), DueError> {
        match self.send_due(&id).await {
            Ok(()) => Ok(()),
            Err(DelayRefusal::Store(fault)) => {
                tracing::warn!(%fault, "a delayed event could not be sent yet");
                self.postpone(&id).await.map_err(DueError::Postponing)
            }
            Err(refusal) => Err(DueError::Postponing(refusal)),
        }
    }

    /// Sends an event if it is due still.
    async fn send_due(&self, id: &str) -> Result<(), DelayRefusal> {
        let guard = self.parts().events.lock(id).await;
        let Some(row) = self.look(&guard, id).await? else { return Ok(()) };
        let now = self.parts().clock.now();
        if row.finalised.is_some() || row.due > now {
            return Ok(());
        }
        let end = match self.send(id, &row).await {
            Ok(event) => End::Sent { event },
            Err(refusal) => End::Refused { failure: failure(&refusal).ok_or(refusal)? },
        };
        self.finalise(&guard, id, &row, end).await?;
        Ok(())
    }

    async fn postpone(&self, id: &str) -> Result<(), DelayRefusal> {
        let guard = self.parts().events.lock(id).await;
        match self.row(id).await? {
            Some(row) if row.finalised.is_none() => {
                let due = self.parts().clock.now().plus(AGAIN);
                self.change(&guard, id, &row, &DelayedRow { due, ..row.clone() }).await
            }
            _ => Ok(()),
        }
    }
}
