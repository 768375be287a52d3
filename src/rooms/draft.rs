//! A local event before it has a place in a room.
//!
//! Owns: [`EventDraft`], and the event that it becomes on top of others. Does not own: who may send it (the rules, asked by
//! [`crate::operation`]).

use std::collections::BTreeMap;

use plop_base::clock::UnixMillis;
use plop_base::limits::MAX_PREV_EVENTS;
use plop_state::builder::EventBuilder;
use plop_state::json::Object;
use plop_state::{Pdu, StateKey};
use ruma::{OwnedEventId, OwnedUserId};

use crate::parts::Core;
use crate::schema::SentBy;
use crate::view::RoomView;

/// The auth events of a draft.
pub(crate) type Authorising = BTreeMap<StateKey, Pdu>;

/// What a local user or this server wants to put into a room.
#[derive(Debug, Clone)]
pub struct EventDraft {
    pub kind: String,
    pub state_key: Option<String>,
    pub sender: OwnedUserId,
    pub content: Object,
    pub redacts: Option<OwnedEventId>,
    /// The time to claim; now where none is given (application services may give one).
    pub ts: Option<UnixMillis>,
    pub sent_by: Option<SentBy>,
}

impl EventDraft {
    /// A message event.
    pub fn message(kind: impl Into<String>, sender: OwnedUserId, content: Object) -> Self {
        Self { kind: kind.into(), state_key: None, sender, content, redacts: None, ts: None, sent_by: None }
    }

    /// A state event.
    pub fn state(
        kind: impl Into<String>,
        state_key: impl Into<String>,
        sender: OwnedUserId,
        content: Object,
    ) -> Self {
        Self { state_key: Some(state_key.into()), ..Self::message(kind, sender, content) }
    }

    /// The event on top of the room's forward extremities, of which it names as many as an event may.
    pub(crate) fn builder(
        self,
        core: &Core,
        view: &RoomView,
        extremities: &[&Pdu],
        authorising: &Authorising,
    ) -> EventBuilder {
        let rules = view.rules;
        let parents = || extremities.iter().copied().take(MAX_PREV_EVENTS);
        let id = |pdu: &Pdu| pdu.event_id_owned().clone();
        let id_is_hash = rules.spec.authorization.room_create_event_id_as_room_id;
        let room_id = (self.kind != "m.room.create" || !id_is_hash).then(|| view.id.clone());
        let mut builder = EventBuilder::new(room_id, self.kind, self.sender, self.content);
        builder.state_key = self.state_key;
        builder.redacts = self.redacts;
        builder.prev_events = parents().map(id).collect();
        builder.auth_events = authorising.values().map(id).collect();
        builder.depth = parents().map(Pdu::depth).max().unwrap_or(0).saturating_add(1);
        builder.origin_server_ts = self.ts.unwrap_or_else(|| core.clock.now()).0;
        builder.event_id = core.new_event_id(rules);
        if rules.spec.event_format.require_event_id {
            let referenced = parents().chain(authorising.values());
            builder.reference_hashes =
                referenced.map(|pdu| (id(pdu), pdu.reference_hash_text(rules))).collect();
        }
        builder
    }
}
