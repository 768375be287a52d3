//! The work of sending events whose time has come.
//!
//! Owns: finding them, in order, and what becomes of those that cannot be sent. Does not own: sending ([`crate::sending`]).
//!
//! Invariants: none is sent before its time. Those of one room go one after the other; rooms do not wait for each other, but for the end of a
//! page. What fails because of the store is tried again later, and keeps no other from being sent.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use plop_db::{Batch, CommitError, Direction, KeyRange, ReadError};
use ruma::OwnedRoomId;

use crate::delayed::Delayed;
use crate::refusal::DelayRefusal;
use crate::schema::{DelayedEvents, DelayedRow, DueDelayed, End};
use crate::sending::failure;

/// Events that are looked at together.
const PAGE: usize = 100;
/// Rooms in which events are sent at the same time.
const ROOMS_AT_ONCE: usize = 16;
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

impl Delayed {
    /// Sends what is due, for ever.
    pub async fn run(&self) -> Result<(), DueError> {
        loop {
            let wait = self.catch_up().await?;
            self.parts().clock.timeout(wait, self.parts().earlier.notified()).await;
        }
    }

    /// Sends what is due by now; how long to wait for more.
    pub async fn catch_up(&self) -> Result<Duration, DueError> {
        let parts = self.parts();
        loop {
            let snapshot = parts.db.snapshot();
            let next = snapshot.scan(KeyRange::<DueDelayed>::all(), Direction::Forward, PAGE).await?.rows;
            let now = parts.clock.now();
            let due = next.iter().take_while(|((due, ..), ())| *due <= now);
            let due: Vec<_> = due.map(|(key, ())| key.clone()).collect();
            if due.is_empty() {
                let first = next.first().map(|((due, ..), ())| due.since(now));
                return Ok(first.map_or(LONGEST_SLEEP, |first| first.min(LONGEST_SLEEP)));
            }
            let ids: Vec<String> = due.iter().map(|(.., id)| id.clone()).collect();
            let rows = snapshot.get_many::<DelayedEvents>(&ids).await?;
            let mut by_room: BTreeMap<OwnedRoomId, Vec<String>> = BTreeMap::new();
            let mut dangling = Batch::relaxed();
            for ((key, id), row) in due.iter().zip(ids).zip(rows) {
                match row {
                    Some(row) => by_room.entry(row.room).or_default().push(id),
                    // No batch leaves one behind; damage must not become a loop.
                    None => dangling.delete::<DueDelayed>(key),
                }
            }
            if !dangling.is_empty() {
                parts.db.commit(dangling).await?;
            }
            let sent = stream::iter(by_room.into_values().map(|ids| self.send_all(ids)));
            let outcomes: Vec<Result<(), DueError>> = sent.buffer_unordered(ROOMS_AT_ONCE).collect().await;
            outcomes.into_iter().collect::<Result<(), DueError>>()?;
        }
    }

    /// Sends events of one room.
    async fn send_all(&self, ids: Vec<String>) -> Result<(), DueError> {
        for id in ids {
            match self.send_due(&id).await {
                Ok(()) => {}
                Err(DelayRefusal::Store(fault)) => {
                    tracing::warn!(%fault, "a delayed event could not be sent yet");
                    self.postpone(&id).await.map_err(DueError::Postponing)?;
                }
                Err(refusal) => return Err(DueError::Postponing(refusal)),
            }
        }
        Ok(())
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
