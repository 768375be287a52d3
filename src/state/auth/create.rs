//! The rule for `m.room.create` (rule 1).

use ruma::{RoomVersionId, UserId};

use crate::json::{Object, Value};
use crate::pdu::Pdu;
use crate::version::Rules;

use super::error::AuthError;

pub(super) fn check(event: &Pdu, rules: &Rules) -> Result<(), AuthError> {
    let flags = &rules.spec.authorization;
    if !event.prev_events().is_empty() {
        return Err(AuthError::CreateHasPrevEvents);
    }
    // Where the room id is the create event's id, the format of the version refuses a `room_id`: a `Pdu` with one
    // does not exist.
    if !flags.room_create_event_id_as_room_id
        && event.room_id().server_name() != Some(event.sender().server_name())
    {
        return Err(AuthError::CreateRoomIdOfOtherServer);
    }
    let content = event.content_object();
    check_version(&content, rules)?;
    if !flags.use_room_create_sender && !content.contains_key("creator") {
        return Err(AuthError::CreateWithoutCreator);
    }
    match content.get("additional_creators") {
        Some(creators) if flags.additional_room_creators && !are_user_ids(creators) => {
            Err(AuthError::CreateAdditionalCreators)
        }
        _ => Ok(()),
    }
}

/// The rule asks for a version that is recognised. An event of another version than the one it is checked for is
/// refused too: its sender lied about the room's version to whoever chose the rules.
fn check_version(content: &Object, rules: &Rules) -> Result<(), AuthError> {
    let version = match content.get("room_version") {
        // (client-server API, `m.room.create`)
        None => Some(RoomVersionId::V1),
        Some(version) => version.as_str().and_then(|version| RoomVersionId::try_from(version).ok()),
    };
    if version.as_ref() == Some(&rules.version) { Ok(()) } else { Err(AuthError::CreateRoomVersion) }
}

fn are_user_ids(value: &Value) -> bool {
    value.as_array().is_some_and(|users| {
        users.iter().all(|user| user.as_str().is_some_and(|user| <&UserId>::try_from(user).is_ok()))
    })
}
