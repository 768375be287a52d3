//! What is left of the events of users who asked for erasure (client-server API, `POST /account/deactivate`, `erase`).
//!
//! Owns: which events a reader gets redacted for it. Does not own: the wish ([`plop_accounts::deactivation`]), which events are seen at all
//! ([`super::visibility`]).
//!
//! Invariants: who was in the room when the event was sent has it already, and keeps it; everybody else gets its redacted form in a timeline and
//! as what came before another event. State is given as it is, for the room could not be shown without: in lists, and in a timeline where it is
//! the current one. Nothing is written: the stored event stays, for others may have it.

use std::sync::Arc;

use plop_accounts::deactivation::is_erased;
use plop_state::StateKey;
use ruma::UserId;

use super::access::RoomReader;
use crate::event::RoomEvent;
use crate::fault::StoreFault;
use crate::schema::Membership;

impl RoomReader<'_> {
    /// An event that this user may see, as it is left for them. Where the reader was in the room it costs no more than the membership that the
    /// client form tells anyway.
    pub(super) async fn left_of(&mut self, event: &Arc<RoomEvent>) -> Result<Arc<RoomEvent>, StoreFault> {
        let sender = event.pdu.sender();
        let is_whole = event.facts.redacted_by.is_none() && sender.server_name() == self.core.server;
        let states = event.state_after().zip(event.facts.before);
        let Some((after, before)) = states.filter(|_| is_whole) else { return Ok(Arc::clone(event)) };
        if self.membership_at(after).await? == Membership::Join
            || self.membership_at(before).await? == Membership::Join
            || !self.has_erased(sender).await?
            || self.is_current_state(event).await?
        {
            return Ok(Arc::clone(event));
        }
        let pdu = event.pdu.redacted(self.view.rules);
        Ok(Arc::new(RoomEvent { pdu, ..RoomEvent::clone(event) }))
    }

    /// Whether this user gets all of an event that they may see.
    pub async fn gets_whole(&mut self, event: &Arc<RoomEvent>) -> Result<bool, StoreFault> {
        Ok(Arc::ptr_eq(&self.left_of(event).await?, event))
    }

    async fn has_erased(&mut self, user: &UserId) -> Result<bool, StoreFault> {
        if let Some(known) = self.erased.get(user) {
            return Ok(*known);
        }
        let erased = is_erased(&self.snapshot, user).await?;
        self.erased.insert(user.to_owned(), erased);
        Ok(erased)
    }

    async fn is_current_state(&self, event: &RoomEvent) -> Result<bool, StoreFault> {
        let Some(state_key) = event.pdu.state_key() else { return Ok(false) };
        let key = StateKey::new(event.pdu.type_name(), state_key);
        let current = self.state_event_at(self.view.root, &key).await?;
        Ok(current.is_some_and(|current| current.number == event.number))
    }
}
