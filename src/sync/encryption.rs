//! What an answer tells about encryption: whose device lists changed, and what is left of the device's own keys.
//!
//! Owns: that both dialects of sync tell the same. Does not own: either of them ([`crate::device_lists`], [`crate::key_counts`]).

use plop_base::Actor;
use plop_db::Position;
use plop_rooms::StoreFault;
use ruma::UserId;

use crate::device_lists::{self, Reader};
use crate::memberships::UserRoomSet;
use crate::response::{DeviceLists, Encryption};
use crate::shared::Shared;

/// What is to be told to a device of this user. Without a position from which on there are no lists: the client has none yet.
pub async fn to_tell(
    shared: &Shared,
    (actor, user): (&Actor, &UserId),
    rooms: &UserRoomSet,
    since: Option<Position>,
    to: Position,
) -> Result<Encryption, StoreFault> {
    let key_count = shared.key_counts.of(actor, &shared.changes).await?;
    let device_lists = match since {
        Some(since) => device_lists::between(shared, Reader { actor, user, rooms, since, to }).await?,
        None => DeviceLists::default(),
    };
    Ok(Encryption { device_lists, key_count })
}
