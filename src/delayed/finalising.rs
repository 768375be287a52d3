//! The rows of an event from its beginning to its end.
//!
//! Owns: writing an event with all rows that lead to it, its end, and forgetting it. Does not own: when that happens.
//!
//! Invariants: each change is one batch that expects the row as it was read. What is over is kept for [`KEPT_FOR`], the newest [`MAX_KEPT`] of a
//! user.

use std::sync::Arc;
use std::time::Duration;

use plop_base::UnixMillis;
use plop_db::{Batch, Direction, Guard, KeyRange, Pages};

use crate::delayed::Delayed;
use crate::refusal::DelayRefusal;
use crate::schema::{
    DelayedEvents, DelayedOfUser, DelayedRequests, DelayedRow, DueDelayed, End, FinalisedDelayed,
    FinalisedRow,
};

/// How long it is told what became of an event.
pub(crate) const KEPT_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Events of one user of which it is told.
pub const MAX_KEPT: usize = 200;
/// Rows above that limit that one end deletes: what ends at one moment may have added.
const SURPLUS: usize = 50;
/// Rows looked at in one page.
const PAGE: usize = 200;

/// Writes an event, scheduled or over, with what leads to it.
pub(crate) fn put(batch: &mut Batch, id: &str, row: &DelayedRow) {
    batch.put::<DelayedEvents>(&id.to_owned(), row);
    let at = match &row.finalised {
        Some(finalised) => {
            batch.put::<FinalisedDelayed>(&(finalised.at, id.to_owned()), &());
            finalised.at
        }
        None => {
            batch.put::<DueDelayed>(&(row.due, row.since, id.to_owned()), &());
            row.due
        }
    };
    batch.put::<DelayedOfUser>(&(row.user.clone(), row.finalised.is_some(), at, id.to_owned()), &());
}

/// Takes away what leads to an event as it is.
fn unlink(batch: &mut Batch, id: &str, row: &DelayedRow) {
    let at = match &row.finalised {
        Some(finalised) => {
            batch.delete::<FinalisedDelayed>(&(finalised.at, id.to_owned()));
            finalised.at
        }
        None => {
            batch.delete::<DueDelayed>(&(row.due, row.since, id.to_owned()));
            row.due
        }
    };
    batch.delete::<DelayedOfUser>(&(row.user.clone(), row.finalised.is_some(), at, id.to_owned()));
}

/// Forgets an event.
fn forget(batch: &mut Batch, id: &str, row: &DelayedRow) {
    unlink(batch, id, row);
    batch.delete::<DelayedEvents>(&id.to_owned());
    if let Some(request) = &row.request {
        batch.delete::<DelayedRequests>(request);
    }
}

impl Delayed {
    /// Puts another form of an event in the place of this one.
    pub(crate) async fn change(
        &self,
        guard: &Guard,
        id: &str,
        before: &DelayedRow,
        after: &DelayedRow,
    ) -> Result<(), DelayRefusal> {
        let mut batch = Batch::durable();
        batch.expect::<DelayedEvents>(&id.to_owned(), Some(before));
        unlink(&mut batch, id, before);
        put(&mut batch, id, after);
        if after.finalised.is_some() {
            self.trim(&mut batch, after).await?;
        }
        self.parts().db.commit_under(Arc::clone(guard), batch).await?;
        Ok(())
    }

    /// Ends an event.
    pub(crate) async fn finalise(
        &self,
        guard: &Guard,
        id: &str,
        row: &DelayedRow,
        end: End,
    ) -> Result<DelayedRow, DelayRefusal> {
        let finalised = Some(FinalisedRow { at: self.parts().clock.now(), end });
        let over = DelayedRow { finalised, ..row.clone() };
        self.change(guard, id, row, &over).await?;
        Ok(over)
    }

    /// Forgets the oldest of what is over of a user, where it is too much.
    async fn trim(&self, batch: &mut Batch, row: &DelayedRow) -> Result<(), DelayRefusal> {
        let own = KeyRange::<DelayedOfUser>::prefix(&(row.user.clone(), true));
        let snapshot = self.parts().db.snapshot();
        let kept = snapshot.scan(own, Direction::Forward, MAX_KEPT + SURPLUS).await?.rows;
        let surplus = (kept.len() + 1).saturating_sub(MAX_KEPT);
        let oldest: Vec<String> = kept.into_iter().take(surplus).map(|((.., id), ())| id).collect();
        let rows = snapshot.get_many::<DelayedEvents>(&oldest).await?;
        for (id, row) in oldest.iter().zip(rows) {
            if let Some(row) = row {
                forget(batch, id, &row);
            }
        }
        Ok(())
    }

    /// Forgets what has been over for long. To be called now and then.
    pub async fn sweep(&self) -> Result<(), DelayRefusal> {
        let db = &self.parts().db;
        let until: UnixMillis = self.parts().clock.now().minus(KEPT_FOR);
        let mut pages = Pages::new(KeyRange::<FinalisedDelayed>::all().before(&until), PAGE);
        loop {
            let snapshot = db.snapshot();
            let Some(page) = pages.next(&snapshot).await? else { return Ok(()) };
            let ids: Vec<String> = page.into_iter().map(|((_, id), ())| id).collect();
            let rows = snapshot.get_many::<DelayedEvents>(&ids).await?;
            let mut batch = Batch::relaxed();
            for (id, row) in ids.iter().zip(rows) {
                if let Some(row) = row {
                    forget(&mut batch, id, &row);
                }
            }
            if !batch.is_empty() {
                db.commit(batch).await?;
            }
        }
    }
}
