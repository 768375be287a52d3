//! What may be done with an event that is scheduled: send it at once, cancel it, start its delay anew.
//!
//! Owns: these, by its name alone: who knows the name may (MSC4140, "Delegating delayed events"). Does not own: sending.
//!
//! Invariant: an action whose outcome is there already is done; one that is contrary to it is refused.

use std::time::Duration;

use crate::delayed::Delayed;
use crate::refusal::DelayRefusal;
use crate::schema::{DelayedRow, FinalisedRow};

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Send,
    Cancel,
    Restart,
}

impl Delayed {
    /// Does something with an event. What the room refuses to take stays scheduled: it may take it later.
    ///
    /// # Errors
    /// `NotFound`, `Conflict`; `Room`, `Suspended`, `AccountEnded` where it cannot be sent.
    pub async fn act(&self, id: &str, action: Action) -> Result<(), DelayRefusal> {
        // Who guesses names takes no guard.
        self.row(id).await?.ok_or(DelayRefusal::NotFound)?;
        let guard = self.parts().events.lock(id).await;
        let row = self.look(&guard, id).await?.ok_or(DelayRefusal::NotFound)?;
        if let Some(end) = &row.finalised {
            return match action {
                Action::Send if end.event.is_some() => Ok(()),
                Action::Cancel if end.event.is_none() => Ok(()),
                Action::Send | Action::Cancel | Action::Restart => Err(DelayRefusal::Conflict),
            };
        }
        let now = self.parts().clock.now();
        let sent = |event| FinalisedRow { at: now, event: Some(event), failure: None };
        match action {
            Action::Send => {
                let event = self.send(id, &row).await?;
                self.finalise(&guard, id, &row, sent(event)).await?;
                return Ok(());
            }
            Action::Cancel | Action::Restart => {}
        }
        if let Some(event) = self.sent_before(id, &row).await? {
            self.finalise(&guard, id, &row, sent(event)).await?;
            return Err(DelayRefusal::Conflict);
        }
        if action == Action::Cancel {
            let end = FinalisedRow { at: now, event: None, failure: None };
            self.finalise(&guard, id, &row, end).await?;
        } else {
            let due = now.plus(Duration::from_millis(row.delay));
            self.change(&guard, id, &row, &DelayedRow { since: now, due, ..row.clone() }).await?;
        }
        Ok(())
    }
}
