//! Who asks.

use plop_base::Actor;
use plop_db::Position;
use ruma::UserId;

use crate::memberships::UserRoomSet;

/// Who reads, and what span of time.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    pub actor: &'a Actor,
    pub user: &'a UserId,
    /// The user's rooms, as new as `to` or newer.
    pub rooms: &'a UserRoomSet,
    pub since: Position,
    pub to: Position,
}
