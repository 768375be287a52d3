//! Redactions: taking the content of an event away (client-server API, "Redactions").
//!
//! Owns: applying a redaction to its target. Does not own: what is kept of an event ([`plop_state::Pdu::redacted`]), who may redact
//! ([`plop_state::auth::Authority::may_redact`]), the end of the original ([`crate::redaction`]).
//!
//! Invariants: a redaction whose target is not here waits for it in [`WaitingRedactions`]. Targets are looked up in the redaction's room only, so
//! an event of another room is never touched. An event is redacted once.

use std::sync::Arc;

use plop_db::codec::Tail;

use super::Operation;
use crate::event::RoomEvent;
use crate::fault::StoreFault;
use crate::schema::{EventFacts, Originals, Outcome, WaitingRedactions};

impl Operation<'_> {
    /// Applies an accepted event, if it is a redaction: to its target, or once that arrives.
    pub async fn apply_redaction(&mut self, redaction: &Arc<RoomEvent>) -> Result<(), StoreFault> {
        if redaction.pdu.type_name() != "m.room.redaction" {
            return Ok(());
        }
        let Some(target) = redaction.pdu.redacts() else { return Ok(()) };
        match self.event_by_id(target).await? {
            Some(target) => self.apply_redaction_to(redaction, &target).await?,
            None => {
                let key = (self.view().number, target.to_owned(), redaction.number);
                self.batch().put::<WaitingRedactions>(&key, &());
            }
        }
        Ok(())
    }

    /// Replaces an event by its redacted form, if the redaction may do that.
    ///
    /// Since version 3 the rules let every redaction in, and its effect is decided here (rooms/v3, "Handling redactions"); before that
    /// they have decided already.
    pub async fn apply_redaction_to(
        &mut self,
        redaction: &RoomEvent,
        target: &Arc<RoomEvent>,
    ) -> Result<(), StoreFault> {
        let view = self.view();
        let may = view.authority().is_some_and(|may| may.may_redact(&redaction.pdu, &target.pdu, view.rules));
        let is_done = target.facts.redacted_by.is_some() || target.facts.outcome == Outcome::Rejected;
        if !may || is_done {
            return Ok(());
        }
        let destroyed = self.core().clock.now().plus(self.core().redaction_retention);
        let key = (destroyed, view.number, target.number);
        let redacted = RoomEvent {
            number: target.number,
            pdu: target.pdu.redacted(view.rules),
            facts: EventFacts { redacted_by: Some(redaction.number), ..target.facts.clone() },
        };
        self.batch().put::<Originals>(&key, &Tail(target.pdu.canonical().to_owned()));
        self.unrelate(target).await?;
        self.rewrite(&Arc::new(redacted));
        self.uncount(target.number);
        Ok(())
    }
}
