//! Who is typing (client-server API, "Typing Notifications").
//!
//! Owns: the form of the list. Does not own: the list.

use std::collections::BTreeSet;

use plop_db::{ReadError, Snapshot};
use plop_ephemeral::Typing;
use plop_rooms::schema::{MemberRow, Members, Membership};
use plop_state::json::TextWriter;
use plop_state_store::RoomNumber;
use ruma::OwnedUserId;

use crate::bare_event::bare_event;

/// The type of the event.
pub const TYPING: &str = "m.typing";

/// Which members type in a room, but for those whom the user ignores. Who has left types no more, whatever the list still says.
pub async fn users(
    snapshot: &Snapshot,
    typing: &Typing,
    room: RoomNumber,
    ignored: &BTreeSet<OwnedUserId>,
) -> Result<Vec<OwnedUserId>, ReadError> {
    let mut users = typing.users(room);
    users.retain(|user| !ignored.contains(user));
    let keys: Vec<_> = users.iter().map(|user| (room, user.clone())).collect();
    let rows = snapshot.get_many::<Members>(&keys).await?;
    let is_member =
        |row: &Option<MemberRow>| row.as_ref().is_some_and(|row| row.membership == Membership::Join);
    Ok(users.into_iter().zip(rows).filter(|(_, row)| is_member(row)).map(|(user, _)| user).collect())
}

/// The form that clients get: the whole list, each time.
pub fn list(users: &[OwnedUserId]) -> String {
    let mut content = TextWriter::new();
    content.object();
    content.key("user_ids");
    content.list();
    users.iter().for_each(|user| content.string(user.as_str()));
    bare_event(TYPING, &content.finish())
}
