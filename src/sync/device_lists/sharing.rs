//! Who shares a room with whom.

use plop_db::ReadError;
use ruma::UserId;

use super::reader::Reader;
use crate::shared::Shared;

/// Whether a user is in a room that the reader is in.
pub async fn shares_room(shared: &Shared, reader: Reader<'_>, user: &UserId) -> Result<bool, ReadError> {
    let is_ours = user.server_name() == shared.parts.rooms.server();
    let theirs = if is_ours {
        shared.memberships.of(user, &shared.changes).await?
    } else {
        // In memory their rooms would change unnoticed.
        shared.memberships.read(user).await?
    };
    Ok(reader.rooms.shares_room_with(&theirs))
}
