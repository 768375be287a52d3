//! The summary of a room (client-server API, `RoomSummary` of `/sync`).
//!
//! Owns: the counts and the heroes. Does not own: when a summary is given.
//!
//! Invariants: taken from the picture of the room, so it may be newer than the answer's position; it then comes again with the change.

use plop_rooms::members::MemberTable;
use plop_rooms::schema::Membership;
use plop_rooms::summary::RoomSummary;
use plop_rooms::view::RoomView;
use plop_state_store::EventNumber;
use ruma::{OwnedUserId, UserId};

use crate::response::Summary;

/// Users that a room without a name is called by.
const HEROES: usize = 5;

/// The summary of a room for a member.
pub fn summary(view: &RoomView, user: &UserId) -> Summary {
    let shown = RoomSummary::of(view);
    let has_name = shown.name.is_some() || shown.canonical_alias.is_some();
    Summary {
        heroes: (!has_name).then(|| heroes(&view.members, user)),
        joined: view.members.joined_count(),
        invited: view.members.invited_count(),
    }
}

/// The first members besides the user; where there are none, the first of those who were there.
fn heroes(members: &MemberTable, user: &UserId) -> Vec<OwnedUserId> {
    let mut present = First::default();
    let mut gone = First::default();
    for (other, member) in members.iter().filter(|(other, _)| *other != user) {
        match member.membership {
            Membership::Join | Membership::Invite => present.offer(member.event, other),
            Membership::Leave | Membership::Ban => gone.offer(member.event, other),
            Membership::Knock => {}
        }
    }
    let chosen = if present.0.is_empty() { gone } else { present };
    chosen.0.into_iter().map(|(_, user)| user.clone()).collect()
}

/// The lowest few of many.
#[derive(Default)]
struct First<'a>(Vec<(EventNumber, &'a OwnedUserId)>);

impl<'a> First<'a> {
    fn offer(&mut self, event: EventNumber, user: &'a OwnedUserId) {
        if self.0.len() == HEROES && self.0.last().is_some_and(|(last, _)| *last <= event) {
            return;
        }
        let place = self.0.partition_point(|(other, _)| *other < event);
        self.0.insert(place, (event, user));
        self.0.truncate(HEROES);
    }
}
