//! What may be done with an event that is scheduled: send it at once, cancel it, start its delay anew.
//!
//! Owns: these, by its name alone: who knows the name may (MSC4140, "Delegating delayed events"). Does not own: sending.
//!
//! Invariant: an action whose outcome is there already is done; one that is contrary to it is refused.

use std::sync::PoisonError;
use std::time::Duration;

use plop_base::buckets::Rate;

use crate::delayed::Delayed;
use crate::refusal::DelayRefusal;
use crate::schema::{DelayedRow, End};

/// How often something may be done with one event: clients restart it every few seconds.
const RATE: Rate = Rate { burst: 20, interval: Duration::from_secs(1) };

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
    /// `NotFound`, `Conflict`, `TooOften`; `Room`, `Suspended`, `AccountEnded` where it cannot be sent.
    pub async fn act(&self, id: &str, action: Action) -> Result<(), DelayRefusal> {
        // Who guesses names takes no guard.
        self.row(id).await?.ok_or(DelayRefusal::NotFound)?;
        self.check_often(id)?;
        let guard = self.parts().events.lock(id).await;
        let row = self.look(&guard, id).await?.ok_or(DelayRefusal::NotFound)?;
        if let Some(end) = &row.finalised {
            return match (action, &end.end) {
                (Action::Send, End::Sent { .. }) | (Action::Cancel, End::Refused { .. } | End::Cancelled) => {
                    Ok(())
                }
                (Action::Send, End::Refused { .. } | End::Cancelled)
                | (Action::Cancel, End::Sent { .. })
                | (Action::Restart, _) => Err(DelayRefusal::Conflict),
            };
        }
        match action {
            Action::Send => {
                let event = self.send(id, &row).await?;
                self.finalise(&guard, id, &row, End::Sent { event }).await?;
                return Ok(());
            }
            Action::Cancel | Action::Restart => {}
        }
        if let Some(event) = self.sent_before(id, &row).await? {
            self.finalise(&guard, id, &row, End::Sent { event }).await?;
            return Err(DelayRefusal::Conflict);
        }
        if action == Action::Cancel {
            self.finalise(&guard, id, &row, End::Cancelled).await?;
        } else {
            let now = self.parts().clock.now();
            let due = now.plus(Duration::from_millis(row.delay));
            self.change(&guard, id, &row, &DelayedRow { since: now, due, ..row.clone() }).await?;
        }
        Ok(())
    }

    /// Takes what an action on an event costs that is there: each may be a write, and asks for no session.
    fn check_often(&self, id: &str) -> Result<(), DelayRefusal> {
        let parts = self.parts();
        // Whoever holds it leaves whole entries.
        let mut actions = parts.actions.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = actions.take(parts.clock.monotonic(), &[(id.to_owned(), RATE)]);
        taken.map_err(|wait| DelayRefusal::TooOften { wait })
    }
}
