//! The summary of a room (client-server API, `RoomSummary` of `/sync`).
//!
//! Owns: the counts and the heroes, and a bounded memory of the first members of rooms. Does not own: when a summary is given.
//!
//! Invariants: taken from the picture of the room, so it may be newer than the answer's position; it then comes again with the change. The members are
//! gone through once for each state of a room, however many readers there are.

use std::sync::Arc;

use plop_rooms::members::MemberTable;
use plop_rooms::schema::Membership;
use plop_rooms::summary::RoomSummary;
use plop_rooms::view::RoomView;
use plop_state_store::tree::Root;
use plop_state_store::{EventNumber, RoomNumber};
use quick_cache::sync::Cache;
use ruma::{OwnedUserId, UserId};

use crate::response::Summary;

/// Users that a room without a name is called by.
const HEROES: usize = 5;

/// Rooms whose first members are remembered.
const CACHED: usize = 10_000;

/// The first members of rooms without a name.
pub struct Summaries(Cache<RoomNumber, Arc<FirstMembers>>);

impl Default for Summaries {
    fn default() -> Self {
        Self(Cache::new(CACHED))
    }
}

impl Summaries {
    /// The summary of a room for a member.
    pub fn of(&self, view: &RoomView, user: &UserId) -> Summary {
        let shown = RoomSummary::of(view);
        let has_name = shown.name.is_some() || shown.canonical_alias.is_some();
        Summary {
            heroes: (!has_name).then(|| self.first_members(view).heroes(user)),
            joined: view.members.joined_count(),
            invited: view.members.invited_count(),
        }
    }

    fn first_members(&self, view: &RoomView) -> Arc<FirstMembers> {
        if let Some(known) = self.0.get(&view.number).filter(|known| known.root == view.root) {
            return known;
        }
        let first = Arc::new(FirstMembers::new(view.root, &view.members));
        self.0.insert(view.number, Arc::clone(&first));
        first
    }
}

/// The first members of a room in one state, one more than there are heroes: nobody is their own.
struct FirstMembers {
    root: Root,
    present: Vec<OwnedUserId>,
    /// Of those who are there no more.
    gone: Vec<OwnedUserId>,
}

impl FirstMembers {
    fn new(root: Root, members: &MemberTable) -> Self {
        let (mut present, mut gone) = (First::default(), First::default());
        for (user, member) in members.iter() {
            match member.membership {
                Membership::Join | Membership::Invite => present.offer(member.event, user),
                Membership::Leave | Membership::Ban => gone.offer(member.event, user),
                Membership::Knock => {}
            }
        }
        Self { root, present: present.users(), gone: gone.users() }
    }

    /// The first members besides the user; where there are none, the first of those who were there.
    fn heroes(&self, user: &UserId) -> Vec<OwnedUserId> {
        let others = |users: &[OwnedUserId]| -> Vec<OwnedUserId> {
            users.iter().filter(|other| *other != user).take(HEROES).cloned().collect()
        };
        let present = others(&self.present);
        if present.is_empty() { others(&self.gone) } else { present }
    }
}

/// The lowest few of many.
#[derive(Default)]
struct First<'a>(Vec<(EventNumber, &'a OwnedUserId)>);

impl<'a> First<'a> {
    fn offer(&mut self, event: EventNumber, user: &'a OwnedUserId) {
        if self.0.len() > HEROES && self.0.last().is_some_and(|(last, _)| *last <= event) {
            return;
        }
        let place = self.0.partition_point(|(other, _)| *other < event);
        self.0.insert(place, (event, user));
        self.0.truncate(HEROES + 1);
    }

    fn users(self) -> Vec<OwnedUserId> {
        self.0.into_iter().map(|(_, user)| user.clone()).collect()
    }
}
