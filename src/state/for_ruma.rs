//! [`Pdu`] as an event of ruma's authorisation rules and resolution, which ours are compared with.

use ruma::events::TimelineEventType;
use ruma::state_res::Event;
use ruma::{MilliSecondsSinceUnixEpoch, OwnedEventId, RoomId, UserId};
use serde_json::value::RawValue;

use crate::Pdu;

/// None was rejected: tests whose events may have been use a wrapper that knows.
impl Event for Pdu {
    type Id = OwnedEventId;

    fn event_id(&self) -> &Self::Id {
        self.event_id_owned()
    }

    /// `None` for a create event of version 12: the event has no such member.
    fn room_id(&self) -> Option<&RoomId> {
        self.members().get("room_id").map(|_| self.room_id())
    }

    fn sender(&self) -> &UserId {
        self.sender()
    }

    fn origin_server_ts(&self) -> MilliSecondsSinceUnixEpoch {
        self.origin_server_ts()
    }

    fn event_type(&self) -> &TimelineEventType {
        self.kind()
    }

    fn content(&self) -> &RawValue {
        serde_json::from_str(self.content_text()).expect("an event that was parsed")
    }

    fn state_key(&self) -> Option<&str> {
        self.state_key()
    }

    fn prev_events(&self) -> Box<dyn DoubleEndedIterator<Item = &Self::Id> + '_> {
        Box::new(self.prev_events().iter())
    }

    fn auth_events(&self) -> Box<dyn DoubleEndedIterator<Item = &Self::Id> + '_> {
        Box::new(self.auth_events().iter())
    }

    /// No rule of the versions that are compared asks for it.
    fn redacts(&self) -> Option<&Self::Id> {
        None
    }

    fn rejected(&self) -> bool {
        false
    }
}
