//! Reads and checks the members of an event (room versions' pages, "Event format"; client-server API, "Size limits").

use std::{borrow::Cow, ops::Range};

use plop_base::limits::{MAX_AUTH_EVENTS, MAX_ID_BYTES, MAX_PREV_EVENTS, MAX_SAFE_INT};
use ruma::{
    OwnedEventId, OwnedRoomId, OwnedUserId, UInt,
    events::TimelineEventType,
    room_version_rules::{EventsReferenceFormatVersion, RoomIdFormatVersion},
};
use serde::Deserialize;
use serde_json::value::RawValue as RawJsonValue;
use thiserror::Error;

use super::hash::{event_id, reference_hash};
use crate::{
    json::{JsonError, Members, members, unescape},
    version::Rules,
};

/// Why something is not an event of its room version. Such an event is dropped as if it had not been sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FormatError {
    /// It is not acceptable JSON.
    #[error("not acceptable JSON: {0}")]
    Json(#[from] JsonError),
    /// Its canonical form is larger than 65,536 bytes.
    #[error("{0} bytes in canonical form")]
    TooLarge(usize),
    /// A member that its version asks for is missing.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A member has the wrong type, is out of range, too long, or is not a valid id.
    #[error("`{0}` is not valid")]
    Invalid(&'static str),
    /// A list of events has more entries than allowed.
    #[error("`{0}` has too many entries")]
    TooMany(&'static str),
    /// It names itself as its parent or among its auth events (possible where an event chooses its id).
    #[error("refers to itself")]
    SelfReference,
    /// A create event with a `room_id` in a version where its id is the room id (version 12).
    #[error("`room_id` on a create event")]
    RoomIdOnCreate,
}

/// The typed fields, beside the text that they were read from.
#[derive(Debug, Clone)]
pub(super) struct Fields {
    pub(super) canonical: Box<str>,
    pub(super) content: Range<usize>,
    pub(super) event_id: OwnedEventId,
    pub(super) room_id: OwnedRoomId,
    pub(super) sender: OwnedUserId,
    pub(super) type_name: Box<str>,
    pub(super) kind: TimelineEventType,
    pub(super) state_key: Option<Box<str>>,
    pub(super) membership: Option<Box<str>>,
    pub(super) prev_events: Vec<OwnedEventId>,
    pub(super) auth_events: Vec<OwnedEventId>,
    pub(super) depth: u64,
    pub(super) origin_server_ts: UInt,
    pub(super) redacts: Option<OwnedEventId>,
}

type Result<T> = std::result::Result<T, FormatError>;

pub(super) fn read(canonical: Box<str>, known_id: Option<OwnedEventId>, rules: &Rules) -> Result<Fields> {
    let event = members(&canonical).ok_or(JsonError::NotAnObject)?;
    let type_name: Box<str> = short_string(&event, "type")?.ok_or(FormatError::Missing("type"))?.into();
    let sender = short_string(&event, "sender")?.ok_or(FormatError::Missing("sender"))?;
    let sender = OwnedUserId::try_from(sender.as_ref()).map_err(|_| FormatError::Invalid("sender"))?;
    let state_key = short_string(&event, "state_key")?.map(|key| key.into_owned().into_boxed_str());
    let content_text = required(&event, "content")?;
    let content = members(content_text).ok_or(FormatError::Invalid("content"))?;
    check_hashes(required(&event, "hashes")?)?;
    check_signatures(required(&event, "signatures")?)?;
    let depth = integer(&event, "depth", rules.max_depth)?;
    let ts = integer(&event, "origin_server_ts", MAX_SAFE_INT)?;
    let mut prev_events = references(&event, "prev_events", MAX_PREV_EVENTS, rules)?;
    let auth_events = references(&event, "auth_events", MAX_AUTH_EVENTS, rules)?;
    let event_id = own_id(&event, known_id, rules)?;
    if prev_events.contains(&event_id) || auth_events.contains(&event_id) {
        return Err(FormatError::SelfReference);
    }
    dedup(&mut prev_events);
    let room_id = room_id(&event, &type_name, &event_id, rules)?;
    Ok(Fields {
        content: range_in(&canonical, content_text),
        membership: membership(&type_name, &content),
        redacts: redacts(&type_name, &event, &content, rules),
        kind: TimelineEventType::from(&*type_name),
        // In range: at most 2^53 - 1.
        origin_server_ts: UInt::new_saturating(ts),
        event_id,
        room_id,
        sender,
        type_name,
        state_key,
        prev_events,
        auth_events,
        depth,
        canonical,
    })
}

/// Where the content stands in the canonical text; empty if the text has none.
pub(super) fn content_range(canonical: &str) -> Range<usize> {
    let content = members(canonical).and_then(|event| event.get("content"));
    content.map_or(0..0, |content| range_in(canonical, content))
}

/// Where a part of a text stands in it.
fn range_in(text: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr().addr() - text.as_ptr().addr();
    start..start + part.len()
}

fn required<'a>(event: &Members<'a>, name: &'static str) -> Result<&'a str> {
    event.get(name).ok_or(FormatError::Missing(name))
}

/// A string of at most 255 bytes.
fn short_string<'a>(event: &Members<'a>, name: &'static str) -> Result<Option<Cow<'a, str>>> {
    let Some(raw) = event.get(name) else { return Ok(None) };
    unescape(raw).filter(|text| text.len() <= MAX_ID_BYTES).map(Some).ok_or(FormatError::Invalid(name))
}

fn integer(event: &Members<'_>, name: &'static str, max: u64) -> Result<u64> {
    let value = required(event, name)?.parse().map_err(|_| FormatError::Invalid(name))?;
    if value <= max { Ok(value) } else { Err(FormatError::Invalid(name)) }
}

fn check_hashes(raw: &str) -> Result<()> {
    let hashes = members(raw).ok_or(FormatError::Invalid("hashes"))?;
    let sha256 = hashes.get("sha256").ok_or(FormatError::Missing("hashes.sha256"))?;
    if sha256.starts_with('"') { Ok(()) } else { Err(FormatError::Invalid("hashes.sha256")) }
}

fn check_signatures(raw: &str) -> Result<()> {
    let invalid = FormatError::Invalid("signatures");
    let servers = members(raw).ok_or(invalid.clone())?;
    let well_formed = servers.iter().all(|(_, keys)| {
        members(keys).is_some_and(|keys| keys.iter().all(|(_, value)| value.starts_with('"')))
    });
    if well_formed { Ok(()) } else { Err(invalid) }
}

/// A list of event ids; in versions 1 and 2 of pairs of an event id and its hashes, which are not used.
fn references(
    event: &Members<'_>,
    name: &'static str,
    max: usize,
    rules: &Rules,
) -> Result<Vec<OwnedEventId>> {
    let invalid = || FormatError::Invalid(name);
    let raw = required(event, name)?;
    let ids: Vec<Cow<'_, str>> = match rules.spec.events_reference_format {
        EventsReferenceFormatVersion::V1 => {
            let pairs: Vec<(Id<'_>, &RawJsonValue)> = serde_json::from_str(raw).map_err(|_| invalid())?;
            if pairs.iter().any(|(_, hashes)| !hashes.get().starts_with('{')) {
                return Err(invalid());
            }
            pairs.into_iter().map(|(id, _)| id.0).collect()
        }
        _ => {
            let ids: Vec<Id<'_>> = serde_json::from_str(raw).map_err(|_| invalid())?;
            ids.into_iter().map(|id| id.0).collect()
        }
    };
    if ids.len() > max {
        return Err(FormatError::TooMany(name));
    }
    ids.into_iter().map(|id| valid_event_id(&id).ok_or_else(invalid)).collect()
}

#[derive(Deserialize)]
struct Id<'a>(#[serde(borrow)] Cow<'a, str>);

fn valid_event_id(id: &str) -> Option<OwnedEventId> {
    if id.len() > MAX_ID_BYTES {
        return None;
    }
    OwnedEventId::try_from(id).ok()
}

fn own_id(event: &Members<'_>, known: Option<OwnedEventId>, rules: &Rules) -> Result<OwnedEventId> {
    if rules.spec.event_format.require_event_id {
        let id = short_string(event, "event_id")?.ok_or(FormatError::Missing("event_id"))?;
        // Versions 1 and 2: an id has a domain (its server must sign).
        return valid_event_id(&id)
            .filter(|id| id.server_name().is_some())
            .ok_or(FormatError::Invalid("event_id"));
    }
    if let Some(id) = known {
        return Ok(id);
    }
    event_id(&reference_hash(event, rules), rules).ok_or(FormatError::Invalid("event_id"))
}

fn dedup(ids: &mut Vec<OwnedEventId>) {
    let mut at = 0;
    while at < ids.len() {
        // At most 20 entries.
        let (seen, rest) = ids.split_at(at);
        if rest.first().is_some_and(|id| seen.contains(id)) {
            ids.remove(at);
        } else {
            at += 1;
        }
    }
}

/// The room id. That of a create event of version 12 follows from its event id.
fn room_id(
    event: &Members<'_>,
    type_name: &str,
    event_id: &OwnedEventId,
    rules: &Rules,
) -> Result<OwnedRoomId> {
    let invalid = FormatError::Invalid("room_id");
    if type_name == "m.room.create" && !rules.spec.event_format.require_room_create_room_id {
        if event.get("room_id").is_some() {
            return Err(FormatError::RoomIdOnCreate);
        }
        let hash = event_id.as_str().strip_prefix('$').ok_or(invalid.clone())?;
        return OwnedRoomId::try_from(format!("!{hash}")).map_err(|_| invalid);
    }
    let id = short_string(event, "room_id")?.ok_or(FormatError::Missing("room_id"))?;
    let id = OwnedRoomId::try_from(id.as_ref()).map_err(|_| invalid.clone())?;
    if rules.spec.room_id_format == RoomIdFormatVersion::V1 && id.server_name().is_none() {
        return Err(invalid);
    }
    Ok(id)
}

fn membership(type_name: &str, content: &Members<'_>) -> Option<Box<str>> {
    if type_name != "m.room.member" {
        return None;
    }
    content.get("membership").and_then(unescape).map(|text| text.into_owned().into_boxed_str())
}

/// The target of a redaction. An odd one is no error: others accept the event, and it redacts nothing.
fn redacts(
    type_name: &str,
    event: &Members<'_>,
    content: &Members<'_>,
    rules: &Rules,
) -> Option<OwnedEventId> {
    if type_name != "m.room.redaction" {
        return None;
    }
    let place = if rules.spec.redaction.content_field_redacts { content } else { event };
    place.get("redacts").and_then(unescape).and_then(|id| valid_event_id(&id))
}
