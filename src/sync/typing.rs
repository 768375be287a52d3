//! Who is typing (client-server API, "Typing Notifications").
//!
//! Owns: the form of the list. Does not own: the list.

use std::collections::BTreeSet;

use plop_ephemeral::Typing;
use plop_state::json::write_string;
use plop_state_store::RoomNumber;
use ruma::OwnedUserId;

use crate::account_data::event;

/// The type of the event.
pub const TYPING: &str = "m.typing";

/// Who types in a room, but for those whom the user ignores.
pub fn users(typing: &Typing, room: RoomNumber, ignored: &BTreeSet<OwnedUserId>) -> Vec<OwnedUserId> {
    let mut users = typing.users(room);
    users.retain(|user| !ignored.contains(user));
    users
}

/// The form that clients get: the whole list, each time.
pub fn list(users: &[OwnedUserId]) -> String {
    let mut content = String::from("{\"user_ids\":[");
    for (index, user) in users.iter().enumerate() {
        if index > 0 {
            content.push(',');
        }
        write_string(&mut content, user.as_str());
    }
    content.push_str("]}");
    event(TYPING, &content)
}
