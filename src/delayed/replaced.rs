//! State that somebody else has set meanwhile: what was to set it later is cancelled.
//!
//! Owns: noticing that, whenever one looks at the event: writing to a room calls nobody. Does not own: ending it ([`crate::finalising`]).
//!
//! Invariant: a user's own newer state cancels nothing.

use plop_db::Guard;
use plop_state::StateKey;

use crate::delayed::Delayed;
use crate::refusal::DelayRefusal;
use crate::schema::{DelayedRow, End, FailureKind, FailureRow};
use crate::sender::sender;

impl Delayed {
    /// An event as it is now, under its guard; `None` if there is none of this name.
    pub(crate) async fn look(&self, guard: &Guard, id: &str) -> Result<Option<DelayedRow>, DelayRefusal> {
        let Some(row) = self.row(id).await? else { return Ok(None) };
        if row.finalised.is_some() || !self.is_replaced(&row).await? {
            return Ok(Some(row));
        }
        let reason = "the state was set by somebody else meanwhile".to_owned();
        let refused = End::Refused { failure: FailureRow { kind: FailureKind::Replaced, reason } };
        // It may be what it has become itself that was replaced.
        let end = self.sent_before(id, &row).await?.map_or(refused, |event| End::Sent { event });
        Ok(Some(self.finalise(guard, id, &row, end).await?))
    }

    async fn is_replaced(&self, row: &DelayedRow) -> Result<bool, DelayRefusal> {
        let Some(state_key) = &row.state_key else { return Ok(false) };
        let actor = sender(row);
        let key = StateKey::new(&row.kind, state_key.as_str());
        let current = match self.parts().rooms.reader(&actor, &row.room).await.map_err(DelayRefusal::from) {
            Ok(reader) => reader.state_event(&key).await.map_err(DelayRefusal::from),
            Err(refusal) => Err(refusal),
        };
        let current = match current {
            Ok(current) => current,
            Err(DelayRefusal::Store(fault)) => return Err(DelayRefusal::Store(fault)),
            // Who cannot look into the room any more cannot send either, and is told so then.
            Err(_) => return Ok(false),
        };
        Ok(current.is_some_and(|current| {
            current.pdu.sender() != row.user && Some(current.pdu.event_id_owned()) != row.replaces.as_ref()
        }))
    }
}
