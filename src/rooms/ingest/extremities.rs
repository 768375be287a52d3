//! What an accepted event would make of the room: its forward extremities and the state that they resolve to.
//!
//! Owns: the plan, made on a reading of the room without its guard. Does not own: carrying it out.
//!
//! Invariants: an accepted event is a forward extremity as long as no accepted event is known to follow it, be it through rejected or
//! soft-failed events, or across a gap that names it. There are at most [`MAX_EXTREMITIES`]; a server that makes many forks crowds out its own.

use std::collections::BTreeSet;
use std::sync::Arc;

use plop_db::{Batch, Direction, KeyRange};
use plop_state::{Pdu, StateKey};
use plop_state_store::resolver::Resolved;
use plop_state_store::tree::Root;
use plop_state_store::{EventNumber, InFlight};
use ruma::EventId;

use super::before::Before;
use super::fairness::crowded_out;
use super::gate::Ingest;
use super::site::Site;
use crate::event::RoomEvent;
use crate::fault::StoreFault;
use crate::loading::LoadError;
use crate::rank::Rank;
use crate::reading::RoomReading;
use crate::schema::{BackwardExtremities, BackwardExtremitiesRow, History, Outcome};

/// Rejected and soft-failed events that are walked through in search of forward extremities.
const MAX_WALK: usize = 1_000;

/// Forward extremities of one room. An event that does not follow them all is resolved with the rest, and a resolution takes 64 forks.
const MAX_EXTREMITIES: usize = 32;

/// Gaps of one room that are looked at.
const MAX_GAPS: usize = 1_000;

/// Places in graph order that are looked at for a free one.
const MAX_PLACES: usize = 4_096;

/// What to do once the guard is held.
pub(super) struct Plan {
    /// The forward extremities that stay.
    pub staying: Vec<Arc<RoomEvent>>,
    /// Whether the event becomes one.
    pub becomes_extremity: bool,
    /// The current state afterwards, but for the event's own change where that comes on top.
    pub state: Resolved,
    pub own_on_top: bool,
    /// How that differs from the current state before.
    pub differences: Vec<(StateKey, Option<Arc<RoomEvent>>)>,
    /// Where the event stands in graph order; `None` for after all others.
    pub rank: Option<Rank>,
    /// Nodes of states that are not written yet.
    _held: Vec<InFlight>,
}

impl Ingest {
    /// Plans how an event that stands on `before` becomes part of the live room. `number` is the event's, if it has one already;
    /// `gaps` are those that name it.
    pub(super) async fn plan(
        &self,
        site: &Site,
        reading: &RoomReading,
        event: &Pdu,
        number: Option<EventNumber>,
        before: &Before,
        gaps: &[(Rank, BackwardExtremitiesRow)],
    ) -> Result<Plan, LoadError> {
        let followed = followed_by(reading, event).await?;
        let staying = reading.forward_extremities().iter();
        let staying = staying.filter(|extremity| !followed.contains(&extremity.number));
        let mut staying: Vec<Arc<RoomEvent>> = staying.cloned().collect();
        let becomes_extremity = gaps.is_empty() || staying.is_empty();
        if becomes_extremity {
            make_room(&mut staying, event);
        }
        let own_on_top = staying.is_empty();
        let mut held = Vec::new();
        let state = if own_on_top {
            before.state.clone()
        } else {
            let mut roots: Vec<Root> =
                staying.iter().filter_map(|extremity| extremity.state_after()).collect();
            if becomes_extremity {
                let mut after = before.state.clone();
                after.changes.extend(event.as_state().zip(number).map(|(key, number)| (key, Some(number))));
                roots.push(self.pinned(reading, &after, &mut held).await?);
            }
            self.resolve(reading, &roots).await?
        };
        let root = self.pinned(reading, &state, &mut held).await?;
        let differences = reading.differences(reading.view().root, root).await?;
        let rank = match gaps.first() {
            Some((above, _)) => free_below(reading, site, *above).await?,
            None => None,
        };
        Ok(Plan { staying, becomes_extremity, state, own_on_top, differences, rank, _held: held })
    }

    /// Whether an event would be merged with others, so that its own change must be resolved and needs a number.
    pub(super) async fn needs_number(&self, reading: &RoomReading, event: &Pdu) -> Result<bool, LoadError> {
        if event.state_key().is_none() {
            return Ok(false);
        }
        let followed = followed_by(reading, event).await?;
        Ok(reading.forward_extremities().iter().any(|extremity| !followed.contains(&extremity.number)))
    }

    /// The root of a state whose nodes are only in memory, for as long as `held` lives.
    async fn pinned(
        &self,
        reading: &RoomReading,
        state: &Resolved,
        held: &mut Vec<InFlight>,
    ) -> Result<Root, StoreFault> {
        if state.changes.is_empty() {
            return Ok(state.base);
        }
        let mut unwritten = Batch::relaxed();
        let (tree, grove) = (&self.rooms.core().state.tree, reading.view().grove());
        let (root, nodes) =
            tree.update(reading.snapshot(), &mut unwritten, grove, state.base, &state.changes).await?;
        held.push(nodes);
        Ok(root)
    }
}

/// Keeps the forward extremities few: beyond the limit an old one counts as followed.
fn make_room(others: &mut Vec<Arc<RoomEvent>>, event: &Pdu) {
    others.sort_unstable_by_key(|other| other.number);
    while others.len() >= MAX_EXTREMITIES {
        let servers = others.iter().map(|other| other.pdu.sender().server_name());
        let given_up = crowded_out(servers.chain([event.sender().server_name()]));
        // The event itself has a place: if nobody has more of them, the oldest one goes.
        others.remove(given_up.filter(|place| *place < others.len()).unwrap_or(0));
    }
}

/// The accepted events that an event follows, directly or through events that were not accepted.
async fn followed_by(reading: &RoomReading, event: &Pdu) -> Result<BTreeSet<EventNumber>, LoadError> {
    let mut followed = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut edge: Vec<_> = event.prev_events().to_vec();
    while let Some(id) = edge.pop() {
        if seen.len() >= MAX_WALK || !seen.insert(id.clone()) {
            continue;
        }
        let Some(parent) = reading.event_by_id(&id).await? else { continue };
        if parent.facts.outcome == Outcome::Accepted {
            followed.insert(parent.number);
        } else {
            edge.extend_from_slice(parent.pdu.prev_events());
        }
    }
    Ok(followed)
}

/// The gaps in which an event is missing.
pub(super) async fn gaps_naming(
    reading: &RoomReading,
    site: &Site,
    event: &EventId,
) -> Result<Vec<(Rank, BackwardExtremitiesRow)>, LoadError> {
    let range = KeyRange::<BackwardExtremities>::prefix(&site.number);
    let page = reading.snapshot().scan(range, Direction::Backward, MAX_GAPS).await?;
    let naming = page.rows.into_iter().filter(|(_, gap)| gap.missing.iter().any(|id| id == event));
    Ok(naming.map(|((_, rank), gap)| (rank, gap)).collect())
}

/// The next free place below another one.
pub(super) async fn free_below(
    reading: &RoomReading,
    site: &Site,
    above: Rank,
) -> Result<Option<Rank>, LoadError> {
    let range = KeyRange::<History>::prefix(&site.number).before(&(site.number, above));
    let page = reading.snapshot().scan(range, Direction::Backward, MAX_PLACES).await?;
    let mut free = above.below();
    for ((_, taken), _) in page.rows {
        if Some(taken) != free {
            return Ok(free);
        }
        free = taken.below();
    }
    Ok(free.filter(|_| !page.more))
}
