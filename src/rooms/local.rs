//! Events that are made here.
//!
//! Owns: from a draft to an accepted event: auth events, previous events, hash, signature, the check by the rules. Does not own: what a
//! user may do beyond those rules (the operations).
//!
//! Invariants: an event that the rules refuse leaves the operation as it was.

use std::collections::BTreeMap;
use std::sync::Arc;

use plop_base::limits::MAX_PREV_EVENTS;
use plop_state::build::{BuildError, EventBuilder};
use plop_state::{Pdu, StateKey, auth};
use ruma::{EventId, OwnedEventId};

use crate::draft::EventDraft;
use crate::event::RoomEvent;
use crate::operation::{Advance, Operation, Placement, StoreFault};
use crate::schema::{Outcome, SentBy};

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

/// The auth events of a draft.
type Authorising = BTreeMap<StateKey, Pdu>;

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
            rank: None,
            gap: Vec::new(),
        };
        let event = self.place(pdu, placement, sent_by).await?;
        let unreferenced = self.tips().iter().skip(MAX_PREV_EVENTS).cloned();
        let tips = unreferenced.chain([Arc::clone(&event)]).collect();
        let root = event.state_after().unwrap_or(before);
        let changes = event.pdu.as_state().map(|key| (key, Some(Arc::clone(&event)))).into_iter().collect();
        self.accept(&event, Advance { tips, root, changes }).await?;
        self.redact(&event).await?;
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
        let view = self.view();
        let rules = view.rules;
        let parents: Vec<&Pdu> = self.tips().iter().take(MAX_PREV_EVENTS).map(|tip| &tip.pdu).collect();
        let id_is_hash = rules.spec.authorization.room_create_event_id_as_room_id;
        let room_id = (draft.kind != "m.room.create" || !id_is_hash).then(|| view.id.clone());
        let mut builder = EventBuilder::new(room_id, draft.kind, draft.sender, draft.content);
        builder.state_key = draft.state_key;
        builder.redacts = draft.redacts;
        builder.prev_events = parents.iter().map(|pdu| pdu.event_id_owned().clone()).collect();
        builder.auth_events = authorising.values().map(|pdu| pdu.event_id_owned().clone()).collect();
        builder.depth = self.depth().saturating_add(1);
        builder.origin_server_ts = draft.ts.unwrap_or_else(|| self.core().clock.now()).0;
        if rules.spec.event_format.require_event_id {
            builder.event_id = self.chosen_event_id();
            let referenced = parents.into_iter().chain(authorising.values());
            builder.reference_hashes = referenced
                .map(|pdu| (pdu.event_id_owned().clone(), pdu.reference_hash_text(rules)))
                .collect();
        }
        builder.build(rules, &self.core().key)
    }

    /// An event id of versions 1 and 2, which the server chooses; none if the server's name is too long for one.
    fn chosen_event_id(&self) -> Option<OwnedEventId> {
        EventId::parse(self.core().new_id('$')).ok()
    }
}
