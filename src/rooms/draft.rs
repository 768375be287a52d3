//! A local event before it has a place in a room.
//!
//! Owns: [`EventDraft`]. Does not own: who may send it (the rules, asked by [`crate::operation`]).

use plop_base::clock::UnixMillis;
use plop_state::json::Object;
use ruma::{OwnedEventId, OwnedUserId};

use crate::schema::SentBy;

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
}
