//! Which events another server may see (client-server API, "Room History Visibility"): what one of its users may.
//!
//! Owns: [`ServerReader`], one answer's look at a room. Does not own: the rule ([`super::visibility`]), which server takes part ([`crate::serve`]).
//!
//! Invariants: events of a room's history go to other servers through it. What a server may not see it gets redacted, not withheld, so that its graph
//! has no holes; the redacted form verifies. States and auth chains are not history: they are given as they are, for rooms could not be joined
//! without them. An answer looks at [`MAX_LOOKED_AT`] members at most; what would take more is not seen.

use std::collections::BTreeMap;
use std::sync::Arc;

use plop_state::auth::HistoryVisibility;
use plop_state::{Pdu, StateKey};
use plop_state_store::resolver::Resolved;
use plop_state_store::tree::Root;
use ruma::{ServerName, UserId};

use super::visibility::{allows, allows_whatever_membership, sets_visibility};
use crate::event::RoomEvent;
use crate::fault::StoreFault;
use crate::reading::RoomReading;
use crate::schema::Membership;

/// Members of one server that one answer looks up in states.
const MAX_LOOKED_AT: usize = 20_000;

/// Members looked up at once.
const PAGE: usize = 32;

/// A room as a server that takes part in it may see it.
pub struct ServerReader<'r> {
    reading: &'r RoomReading,
    server: &'r ServerName,
    /// Its users, those first that have been as they are for longest. Looked for once they are needed.
    users: Option<Vec<StateKey>>,
    looked_at: usize,
    visibilities: BTreeMap<Root, HistoryVisibility>,
    memberships: BTreeMap<Root, Membership>,
}

impl<'r> ServerReader<'r> {
    /// The server has a joined member in the room.
    pub fn new(reading: &'r RoomReading, server: &'r ServerName) -> Self {
        let (visibilities, memberships) = Default::default();
        Self { reading, server, users: None, looked_at: 0, visibilities, memberships }
    }

    /// An event as the server may have it.
    pub async fn shown(&mut self, event: Arc<RoomEvent>) -> Result<Arc<RoomEvent>, StoreFault> {
        if self.sees(&event).await? {
            return Ok(event);
        }
        let pdu = event.pdu.redacted(self.reading.view().rules);
        Ok(Arc::new(RoomEvent { pdu, ..RoomEvent::clone(&event) }))
    }

    /// Whether one of the server's users may see an event. The server is in the room, so all of its past is in reach.
    async fn sees(&mut self, event: &RoomEvent) -> Result<bool, StoreFault> {
        if event.pdu.sender().server_name() == self.server {
            return Ok(true);
        }
        // State of which only the auth chain is known is given with states as well.
        let Some(before) = event.facts.before else { return Ok(event.pdu.state_key().is_some()) };
        let visibilities =
            [Some(self.visibility_at(before).await?), sets_visibility(&event.pdu)].into_iter().flatten();
        if visibilities.clone().any(|visibility| allows_whatever_membership(visibility, true)) {
            return Ok(true);
        }
        let membership = self.membership_at(before).await?;
        let mut memberships = [Some(membership), self.sets_membership(&event.pdu)].into_iter().flatten();
        Ok(memberships
            .any(|membership| visibilities.clone().any(|visibility| allows(visibility, membership, true))))
    }

    /// What an event makes of one of the server's users.
    fn sets_membership(&self, event: &Pdu) -> Option<Membership> {
        let user = <&UserId>::try_from(event.state_key()?).ok()?;
        let is_theirs = event.type_name() == "m.room.member" && user.server_name() == self.server;
        is_theirs.then(|| Membership::of(event, self.reading.view().rules)).flatten()
    }

    async fn visibility_at(&mut self, state: Root) -> Result<HistoryVisibility, StoreFault> {
        if state == self.reading.view().root {
            return Ok(self.reading.view().history_visibility());
        }
        if let Some(known) = self.visibilities.get(&state) {
            return Ok(*known);
        }
        let key = StateKey::new("m.room.history_visibility", "");
        let events = self.reading.state_events(&at(state), std::slice::from_ref(&key)).await?;
        let visibility = events.get(&key).map_or_else(HistoryVisibility::default, HistoryVisibility::of);
        self.visibilities.insert(state, visibility);
        Ok(visibility)
    }

    /// How that user of the server who was closest to the room stood to it.
    async fn membership_at(&mut self, state: Root) -> Result<Membership, StoreFault> {
        if state == self.reading.view().root {
            return Ok(Membership::Join);
        }
        if let Some(known) = self.memberships.get(&state) {
            return Ok(*known);
        }
        let users = self.users.take().unwrap_or_else(|| self.users());
        let mut closest = Membership::Leave;
        for part in users.chunks(PAGE) {
            if closest == Membership::Join || self.looked_at >= MAX_LOOKED_AT {
                break;
            }
            self.looked_at += part.len();
            for event in self.reading.state_events(&at(state), part).await?.values() {
                match Membership::of(event, self.reading.view().rules) {
                    Some(Membership::Join) => closest = Membership::Join,
                    Some(Membership::Invite) if closest != Membership::Join => closest = Membership::Invite,
                    _ => {}
                }
            }
        }
        self.users = Some(users);
        self.memberships.insert(state, closest);
        Ok(closest)
    }

    /// Everyone of the server who has ever had to do with the room.
    fn users(&self) -> Vec<StateKey> {
        let members = self.reading.view().members.iter();
        let theirs = members.filter(|(user, _)| user.server_name() == self.server);
        let mut theirs: Vec<_> = theirs.map(|(user, member)| (member.event, user)).collect();
        theirs.sort_unstable();
        theirs.into_iter().map(|(_, user)| StateKey::member(user.as_str())).collect()
    }
}

fn at(state: Root) -> Resolved {
    Resolved { base: state, changes: Vec::new() }
}
