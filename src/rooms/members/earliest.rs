//! The first few of many members.
//!
//! Owns: [`Earliest`]. Does not own: who is among the many.
//!
//! Invariants: what is kept comes before all that is not. As long as [`Earliest::is_short`] is heeded, [`FIRST_MEMBERS`] are kept, or all that there are.
//! For that the many are gone through again, but not for each of the first that is taken out: some more are kept.

use std::sync::Arc;

use plop_state_store::EventNumber;
use ruma::OwnedUserId;

/// How many are given: five that a room without a name is called by, and one, for nobody is their own.
pub const FIRST_MEMBERS: usize = 6;
/// As many as are kept.
const KEPT: usize = 32;

/// The members with the lowest event numbers.
#[derive(Debug, Clone, Default)]
pub struct Earliest {
    first: Arc<Vec<(EventNumber, OwnedUserId)>>,
    /// Whether there may be more than are kept.
    has_more: bool,
}

impl Earliest {
    /// In their order.
    pub fn users(&self) -> impl Iterator<Item = &OwnedUserId> {
        self.first.iter().map(|(_, user)| user).take(FIRST_MEMBERS)
    }

    pub fn add(&mut self, event: EventNumber, user: &OwnedUserId) {
        let is_last = self.first.last().is_none_or(|(last, _)| *last < event);
        if is_last && (self.has_more || self.first.len() >= KEPT) {
            self.has_more = true;
            return;
        }
        let first = Arc::make_mut(&mut self.first);
        let place = first.partition_point(|(other, _)| *other < event);
        first.insert(place, (event, user.clone()));
        self.has_more |= first.len() > KEPT;
        first.truncate(KEPT);
    }

    pub fn remove(&mut self, event: EventNumber, user: &OwnedUserId) {
        let place = self.first.iter().position(|(number, other)| (number, other) == (&event, user));
        if let Some(place) = place {
            Arc::make_mut(&mut self.first).remove(place);
        }
    }

    /// Whether it must be made anew of all that there are.
    pub fn is_short(&self) -> bool {
        self.has_more && self.first.len() < FIRST_MEMBERS
    }
}
