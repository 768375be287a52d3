//! The summary of a room (client-server API, `RoomSummary` of `/sync`).
//!
//! Owns: the counts and the heroes. Does not own: who the first members are ([`MemberTable`]), when a summary is given.
//!
//! Invariants: taken from the picture of the room, so it may be newer than the answer's position; it then comes again with the change. Its cost does not
//! follow the number of members.

use plop_rooms::summary::is_named;
use plop_rooms::{MemberTable, RoomView};
use ruma::{OwnedUserId, UserId};

use crate::response::Summary;

/// Users that a room without a name is called by.
const HEROES: usize = 5;

impl Summary {
    /// The summary of a room for a member.
    pub fn of(view: &RoomView, user: &UserId) -> Self {
        Self {
            heroes: (!is_named(view)).then(|| heroes(&view.members, user)),
            joined: view.members.joined_count(),
            invited: view.members.invited_count(),
        }
    }
}

/// The first members besides the user; where there are none, the first of those who were there.
pub fn heroes(members: &MemberTable, user: &UserId) -> Vec<OwnedUserId> {
    let present: Vec<OwnedUserId> =
        members.first_present().filter(|other| *other != user).take(HEROES).cloned().collect();
    if !present.is_empty() {
        return present;
    }
    members.first_gone().filter(|other| *other != user).take(HEROES).cloned().collect()
}
