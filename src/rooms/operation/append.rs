//! Events that are made here.
//!
//! Owns: from a draft to an accepted event: auth events, previous events, hash, signature, the check by the rules. Does not own: the form of
//! the event ([`crate::draft`]), what a user may do beyond those rules ([`crate::ops`]).
//!
//! Invariants: an event that the rules refuse leaves the operation as it was.

use std::collections::BTreeMap;
use std::sync::Arc;

use plop_base::limits::MAX_PREV_EVENTS;
use plop_state::builder::BuildError;
use plop_state::{Pdu, auth};

use super::Operation;
use super::advancing::Advance;
use super::placing::Placement;
use crate::draft::{Authorising, EventDraft};
use crate::event::RoomEvent;
use crate::fault::StoreFault;
use crate::schema::{Outcome, SentBy};
use crate::state_change::Changes;

/// Why an event was not appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The room's rules refuse it.
    #[error("not allowed: {0}")]
    Forbidden(#[from] auth::AuthError),
    /// It is no event that could be sent: too large, an id too long.
    #[error("not an event: {0}")]
    Build(#[from] BuildError),
    #[error(transparent)]
    Store(#[from] StoreFault),
}

impl Operation<'_> {
    /// Makes, checks and appends a local event.
    pub async fn append(&mut self, draft: EventDraft) -> Result<Arc<RoomEvent>, AppendError> {
        let authorising = self.authorising(&draft).await?;
        let sent_by = draft.sent_by.clone();
        let pdu = self.build(draft, &authorising)?;
        let invite = authorising.iter().find(|(key, _)| key.kind() == "m.room.third_party_invite");
        self.view().authorise(&pdu, invite.map(|(_, event)| event))?;
        Ok(self.append_authorised(pdu, sent_by).await?)
    }

    /// Appends an event of ours that the rules have let in, built on the current forward extremities.
    pub async fn append_authorised(
        &mut self,
        pdu: Pdu,
        sent_by: Option<SentBy>,
    ) -> Result<Arc<RoomEvent>, StoreFault> {
        let before = self.view().root;
        let placement = Placement {
            outcome: Outcome::Accepted,
            provisional: self.is_partial(),
            before,
            place: None,
            backward_extremities: Vec::new(),
        };
        let event = self.place(pdu, placement, sent_by).await?;
        let unreferenced = self.forward_extremities().iter().skip(MAX_PREV_EVENTS).cloned();
        let forward_extremities = unreferenced.chain([Arc::clone(&event)]).collect();
        let root = event.state_after().unwrap_or(before);
        let mut changes = Changes::default();
        changes.put(&event);
        self.accept(&event, Advance { forward_extremities, root, changes }).await?;
        self.apply_redaction(&event).await?;
        Ok(event)
    }

    /// The auth events of a draft in the current state (server-server API, "Auth events selection").
    async fn authorising(&self, draft: &EventDraft) -> Result<Authorising, StoreFault> {
        let state_key = draft.state_key.as_deref();
        let keys = auth::types_for(&draft.kind, &draft.sender, state_key, &draft.content, self.view().rules);
        let mut found = BTreeMap::new();
        for key in keys {
            if let Some(event) = self.state_event(&key).await? {
                found.insert(key, event.pdu.clone());
            }
        }
        Ok(found)
    }

    fn build(&self, draft: EventDraft, authorising: &Authorising) -> Result<Pdu, BuildError> {
        let parents: Vec<&Pdu> = self.forward_extremities().iter().map(|extremity| &extremity.pdu).collect();
        let (core, view) = (self.core(), self.view());
        draft.builder(core, view, &parents, authorising).build(view.rules, &core.key)
    }
}
