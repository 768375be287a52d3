//! [`Pdu`].

use std::sync::Arc;

use plop_base::limits::MAX_PDU_BYTES;
use ruma::{EventId, MilliSecondsSinceUnixEpoch, OwnedEventId, RoomId, UserId, events::TimelineEventType};

use super::{
    fields::{self, Fields, FormatError},
    hash::reference_hash,
};
use crate::{
    json::{self, Members, NumberRule, Object, canonical_object, members},
    redact,
    state_key::StateKey,
    unpadded_base64,
    version::Rules,
};

/// An event as servers exchange it. A clone is a reference count.
#[derive(Debug, Clone)]
pub struct Pdu(Arc<Fields>);

impl Pdu {
    /// Reads an event as another server sent it: size, strict JSON, event format. Its `unsigned` is dropped.
    pub fn parse(raw: &[u8], rules: &Rules) -> Result<Self, FormatError> {
        let object = json::parse_event(raw, rules.numbers)?;
        Self::from_object(&object, rules)
    }

    /// An event from members that were parsed under the version's number rule. `unsigned` is left out.
    pub(crate) fn from_object(object: &Object, rules: &Rules) -> Result<Self, FormatError> {
        let canonical = canonical_object(object, &["unsigned"]);
        if canonical.len() > MAX_PDU_BYTES {
            return Err(FormatError::TooLarge(canonical.len()));
        }
        Self::from_stored(canonical, None, rules)
    }

    /// Reads an event back from its stored form, the text of [`Pdu::canonical`]. The caller who knows the event's id
    /// gives it and saves a hash; without it, it is computed (versions 1 and 2 carry it).
    ///
    /// # Errors
    /// The stored text is not what was written, or belongs to another room version.
    pub fn from_stored(
        canonical: impl Into<Box<str>>,
        event_id: Option<OwnedEventId>,
        rules: &Rules,
    ) -> Result<Self, FormatError> {
        let canonical = canonical.into();
        fields::read(canonical, event_id, rules).map(|fields| Self(Arc::new(fields)))
    }

    /// The redacted form (client-server API, "Redactions"): same id, and its signatures still verify.
    pub fn redacted(&self, rules: &Rules) -> Self {
        let canonical = redact::redact(&self.members(), &rules.spec.redaction).into_boxed_str();
        let content = fields::content_range(&canonical);
        let redacts = self.0.redacts.clone().filter(|_| rules.spec.redaction.content_field_redacts);
        // Every other field is of a member that redaction keeps.
        Self(Arc::new(Fields { canonical, content, redacts, ..Fields::clone(&self.0) }))
    }

    /// The stored form: canonical JSON without `unsigned`.
    pub fn canonical(&self) -> &str {
        &self.0.canonical
    }

    /// The members of the event, as canonical text.
    pub(crate) fn members(&self) -> Members<'_> {
        // The text is that of an object, or there would be no `Pdu`.
        members(&self.0.canonical).unwrap_or_default()
    }

    /// The reference hash in unpadded base64, as versions 1 and 2 write it beside an event's id.
    pub fn reference_hash_text(&self, rules: &Rules) -> String {
        unpadded_base64::encode(&reference_hash(&self.members(), rules))
    }

    /// The event id.
    pub fn event_id(&self) -> &EventId {
        &self.0.event_id
    }

    /// The event id, to clone.
    pub fn event_id_owned(&self) -> &OwnedEventId {
        &self.0.event_id
    }

    /// The room id; of a create event of version 12 the one that follows from its event id.
    pub fn room_id(&self) -> &RoomId {
        &self.0.room_id
    }

    /// Who sent it.
    pub fn sender(&self) -> &UserId {
        &self.0.sender
    }

    /// The event type as ruma's enum, for matching. Where the exact name counts, take [`Pdu::type_name`].
    pub fn kind(&self) -> &TimelineEventType {
        &self.0.kind
    }

    /// The event type as it is written.
    pub fn type_name(&self) -> &str {
        &self.0.type_name
    }

    /// The state key, which makes it a state event.
    pub fn state_key(&self) -> Option<&str> {
        self.0.state_key.as_deref()
    }

    /// The entry of the room's state that this event sets, if it is a state event.
    pub fn as_state(&self) -> Option<StateKey> {
        self.state_key().map(|key| StateKey::new(self.type_name(), key))
    }

    /// The content as canonical text of an object.
    pub fn content_text(&self) -> &str {
        self.0.canonical.get(self.0.content.clone()).unwrap_or("{}")
    }

    /// The content, parsed: linear in its size. It passed its version's number rule when the event came in. Should its text not be readable all
    /// the same (a damaged store), it reads as one without properties, which every rule that needs one refuses.
    pub fn content_object(&self) -> Object {
        json::parse_object(self.content_text().as_bytes(), NumberRule::Lenient).unwrap_or_default()
    }

    /// `content.membership` of a member event, if it is a string.
    pub fn membership(&self) -> Option<&str> {
        self.0.membership.as_deref()
    }

    /// The parents in the room's graph, each once.
    pub fn prev_events(&self) -> &[OwnedEventId] {
        &self.0.prev_events
    }

    /// The create event whose id the room id is, with `!` for `$` (room version 12): it authorises this event without being listed.
    pub fn implied_create(&self, rules: &Rules) -> Option<OwnedEventId> {
        let is_named = rules.spec.authorization.room_create_event_id_as_room_id;
        let hash = self.room_id().as_str().strip_prefix('!').filter(|_| is_named)?;
        OwnedEventId::try_from(format!("${hash}")).ok().filter(|_| self.type_name() != "m.room.create")
    }

    /// The events that authorise this one, as listed (a duplicate is for the auth rules to refuse).
    pub fn auth_events(&self) -> &[OwnedEventId] {
        &self.0.auth_events
    }

    /// The claimed depth.
    pub fn depth(&self) -> u64 {
        self.0.depth
    }

    /// The claimed time, in milliseconds since 1970.
    pub fn origin_server_ts(&self) -> MilliSecondsSinceUnixEpoch {
        MilliSecondsSinceUnixEpoch(self.0.origin_server_ts)
    }

    /// The event that this redaction wants redacted, wherever its room version writes it.
    pub fn redacts(&self) -> Option<&EventId> {
        self.0.redacts.as_deref()
    }
}
