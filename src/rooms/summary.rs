//! What a room shows of itself to those who look at it from outside.
//!
//! Owns: the reading of the current state for directories, previews and entrance. Does not own: who may look ([`crate::preview`]); which types are needed
//! for it, which the table of the view says ([`crate::view`]).
//!
//! Invariants: a pure function of the view. State that anybody may have written is read as far as it makes sense: a value of the wrong type
//! is one that is not there.

use plop_state::StateKey;
use plop_state::auth::HistoryVisibility;
use plop_state::json::{Object, Value};
use ruma::{OwnedRoomAliasId, OwnedRoomId, RoomAliasId, RoomId, RoomVersionId};

use crate::view::{RoomView, ShownIn, types_shown};

/// The keys whose events a view needs to have for its summary.
pub fn shown_keys() -> impl Iterator<Item = StateKey> {
    types_shown(ShownIn::Summary).map(|kind| StateKey::new(kind, ""))
}

/// A room as directories and spaces list it (client-server API, `PublishedRoomsChunk`, `RoomSummary`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomSummary {
    pub room: OwnedRoomId,
    pub name: Option<String>,
    pub topic: Option<String>,
    pub avatar_url: Option<String>,
    pub canonical_alias: Option<OwnedRoomAliasId>,
    pub joined_members: u64,
    pub is_world_readable: bool,
    pub guests_may_join: bool,
    /// The word of the join rules; `None` where the room has none.
    pub join_rule: Option<String>,
    /// The type of room: `m.space`, say.
    pub room_type: Option<String>,
    /// The rooms whose members a restricted join rule lets in.
    pub allowed_rooms: Vec<OwnedRoomId>,
    /// The algorithm by which messages are encrypted.
    pub encryption: Option<String>,
    pub version: RoomVersionId,
}

impl RoomSummary {
    /// What the current state says.
    pub fn of(view: &RoomView) -> Self {
        Self {
            room: view.id.clone(),
            name: text(view, "m.room.name", "name"),
            topic: topic(&content(view, "m.room.topic")),
            avatar_url: text(view, "m.room.avatar", "url"),
            canonical_alias: canonical_alias(view),
            joined_members: view.members.joined_count(),
            is_world_readable: view.history_visibility() == HistoryVisibility::WorldReadable,
            guests_may_join: guests_may_join(view),
            join_rule: text(view, "m.room.join_rules", "join_rule"),
            room_type: room_type(view),
            allowed_rooms: allowed_rooms(view),
            encryption: text(view, "m.room.encryption", "algorithm"),
            version: view.rules.version.clone(),
        }
    }

    /// Whether it is a space (client-server API, "Spaces").
    pub fn is_space(&self) -> bool {
        self.room_type.as_deref() == Some("m.space")
    }
}

/// The rooms whose members the join rule lets in; none if it is no restricted one. Conditions of other types and malformed ones are none. The size
/// of an event bounds how many there are.
pub fn allowed_rooms(view: &RoomView) -> Vec<OwnedRoomId> {
    if !view.join_rule().is_restricted() {
        return Vec::new();
    }
    let content = content(view, "m.room.join_rules");
    let conditions = content.get("allow").and_then(Value::as_array).unwrap_or_default();
    let room = |condition: &Value| {
        let is_membership = condition.get("type")?.as_str()? == "m.room_membership";
        RoomId::parse(condition.get("room_id")?.as_str()?).ok().filter(|_| is_membership)
    };
    conditions.iter().filter_map(room).collect()
}

/// Whether a room is called by a name or an alias, not by its members (client-server API, "Calculating the display name for a room").
pub fn is_named(view: &RoomView) -> bool {
    text(view, "m.room.name", "name").is_some() || canonical_alias(view).is_some()
}

fn canonical_alias(view: &RoomView) -> Option<OwnedRoomAliasId> {
    text(view, "m.room.canonical_alias", "alias").and_then(|alias| RoomAliasId::parse(alias).ok())
}

/// The type that the create event gives (client-server API, "Types").
pub fn room_type(view: &RoomView) -> Option<String> {
    text(view, "m.room.create", "type")
}

/// Whether guest accounts may join (client-server API, `m.room.guest_access`).
pub fn guests_may_join(view: &RoomView) -> bool {
    text(view, "m.room.guest_access", "guest_access").as_deref() == Some("can_join")
}

/// The content of a state event that the view holds; empty without one.
fn content(view: &RoomView, kind: &str) -> Object {
    view.kept_type(kind).map(|event| event.pdu.content_object()).unwrap_or_default()
}

/// A text in a state event; an empty one counts as absent.
fn text(view: &RoomView, kind: &str, key: &str) -> Option<String> {
    let content = content(view, kind);
    content.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(ToOwned::to_owned)
}

/// The plain text of a topic: of the extensible form where there is one (client-server API, `m.room.topic`).
fn topic(content: &Object) -> Option<String> {
    let representations = content.get("m.topic").and_then(|topic| topic.get("m.text")?.as_array());
    let is_plain =
        |text: &&Value| text.get("mimetype").is_none_or(|mimetype| mimetype.as_str() == Some("text/plain"));
    let plain = match representations {
        Some(representations) => representations.iter().find(is_plain).and_then(|text| text.get("body")),
        None => content.get("topic"),
    };
    plain.and_then(Value::as_str).filter(|topic| !topic.is_empty()).map(ToOwned::to_owned)
}
