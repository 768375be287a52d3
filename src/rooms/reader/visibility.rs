//! Which events a user may see (client-server API, "Room History Visibility").
//!
//! Owns: the rule, and what it asks of the states around an event. Does not own: how far the past of the room belongs to the user
//! ([`super::access::Standing`]).
//!
//! Invariants: every read path of users asks [`RoomReader::sees`], and what goes to other servers is decided by the same rule
//! ([`super::server`]). It goes by the state at the event, not by today's, and looks at each state once.
//! Rejected events, soft-failed events and outliers are seen by nobody.

use std::sync::Arc;

use plop_state::auth::HistoryVisibility;
use plop_state::{Pdu, StateKey};
use plop_state_store::tree::Root;

use super::access::{RoomReader, Standing};
use crate::event::RoomEvent;
use crate::fault::StoreFault;
use crate::history_place::HistoryPlace;
use crate::schema::{Membership, Outcome};

/// Whether an event may be seen, by the state around it.
///
/// `in_reach`: the user was in the room after the event, or is now: it came before they left. An event on a branch of the graph that
/// had not seen them leave is out of reach if it came later.
pub(super) fn allows(visibility: HistoryVisibility, membership: Membership, in_reach: bool) -> bool {
    match visibility {
        HistoryVisibility::WorldReadable => true,
        HistoryVisibility::Shared => in_reach,
        HistoryVisibility::Invited => {
            membership == Membership::Invite || membership == Membership::Join && in_reach
        }
        HistoryVisibility::Joined => membership == Membership::Join && in_reach,
    }
}

/// [`allows`], where every membership gives the same answer.
pub(super) fn allows_whatever_membership(visibility: HistoryVisibility, in_reach: bool) -> bool {
    match visibility {
        HistoryVisibility::WorldReadable => true,
        HistoryVisibility::Shared => in_reach,
        HistoryVisibility::Invited | HistoryVisibility::Joined => false,
    }
}

impl RoomReader<'_> {
    /// Whether this user may see an event.
    pub async fn sees(&mut self, event: &RoomEvent) -> Result<bool, StoreFault> {
        let facts = &event.facts;
        let (Outcome::Accepted, Some(before), Some(place)) = (facts.outcome, facts.before, facts.place)
        else {
            return Ok(false);
        };
        let in_reach = self.reaches(place);
        // An event that changes the visibility is seen by whom it lets in and by whom it shuts out.
        let visibilities =
            [Some(self.visibility_at(before).await?), sets_visibility(&event.pdu)].into_iter().flatten();
        if visibilities.clone().any(|visibility| allows_whatever_membership(visibility, in_reach)) {
            return Ok(true);
        }
        let membership = self.membership_at(before).await?;
        // Likewise one that changes the user's own membership. The end of an invite or a knock is seen even where the room itself was not: else the
        // user could not tell that it is over.
        let own = self.sets_own_membership(&event.pdu);
        if own.is_some() && matches!(membership, Membership::Invite | Membership::Knock) {
            return Ok(true);
        }
        let mut memberships = [Some(membership), own].into_iter().flatten();
        Ok(memberships.any(|membership| {
            visibilities.clone().any(|visibility| allows(visibility, membership, in_reach))
        }))
    }

    fn reaches(&self, place: HistoryPlace) -> bool {
        match self.standing() {
            Standing::Joined => true,
            Standing::Departed { at, .. } => place <= at,
            Standing::Stranger => false,
        }
    }

    fn sets_own_membership(&self, event: &Pdu) -> Option<Membership> {
        let own = event.type_name() == "m.room.member" && event.state_key() == Some(self.user.as_str());
        own.then(|| Membership::of(event, self.view.rules)).flatten()
    }

    /// The history visibility in a state.
    async fn visibility_at(&mut self, state: Root) -> Result<HistoryVisibility, StoreFault> {
        if state == self.view.root {
            return Ok(self.view.history_visibility());
        }
        if let Some(known) = self.visibilities.get(&state) {
            return Ok(*known);
        }
        let key = StateKey::new("m.room.history_visibility", "");
        let event = self.state_event_at(state, &key).await?;
        let visibility =
            event.map_or_else(HistoryVisibility::default, |event| HistoryVisibility::of(&event.pdu));
        self.visibilities.insert(state, visibility);
        Ok(visibility)
    }

    /// This user's membership in a state; one who never had any is as one who left.
    pub(super) async fn membership_at(&mut self, state: Root) -> Result<Membership, StoreFault> {
        if state == self.view.root {
            return Ok(self.view.members.membership(self.user));
        }
        if let Some(known) = self.memberships.get(&state) {
            return Ok(*known);
        }
        let event = self.state_event_at(state, &StateKey::member(self.user.as_str())).await?;
        let membership =
            event.and_then(|event| Membership::of(&event.pdu, self.view.rules)).unwrap_or(Membership::Leave);
        self.memberships.insert(state, membership);
        Ok(membership)
    }

    /// The event under a key of any state of the room.
    pub(super) async fn state_event_at(
        &self,
        state: Root,
        key: &StateKey,
    ) -> Result<Option<Arc<RoomEvent>>, StoreFault> {
        let tree = &self.core.state.tree;
        match tree.get(&self.snapshot, self.view.grove(), state, key).await? {
            Some(number) => Ok(Some(self.event_by_number(number).await?)),
            None => Ok(None),
        }
    }
}

pub(super) fn sets_visibility(event: &Pdu) -> Option<HistoryVisibility> {
    let sets = event.type_name() == "m.room.history_visibility" && event.state_key() == Some("");
    sets.then(|| HistoryVisibility::of(event))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortcut_never_disagrees_with_the_rule() {
        use HistoryVisibility::{Invited, Joined, Shared, WorldReadable};
        use Membership::{Ban, Invite, Join, Knock, Leave};
        for visibility in [WorldReadable, Shared, Invited, Joined] {
            for in_reach in [true, false] {
                let all = [Join, Invite, Knock, Leave, Ban]
                    .into_iter()
                    .all(|membership| allows(visibility, membership, in_reach));
                assert_eq!(
                    allows_whatever_membership(visibility, in_reach),
                    all,
                    "{visibility:?}, in reach: {in_reach}"
                );
            }
        }
    }
}
