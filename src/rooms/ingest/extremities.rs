//! What an accepted event would make of the room: its forward extremities and the state that they resolve to.
//!
//! Owns: the plan, made on a reading of the room without its guard, and whether it still holds. Does not own: carrying it out.
//!
//! Invariants: an accepted event is a forward extremity as long as no accepted event is known to follow it, be it through rejected or
//! soft-failed events, or across a gap that names it. There are at most [`MAX_EXTREMITIES`]; a server that makes many forks crowds out its own.
//! A plan holds as long as the current state and the states beside the event are those that it was made for, whatever messages come meanwhile.

use std::collections::BTreeSet;
use std::sync::Arc;

use plop_db::{Batch, Direction, KeyRange};
use plop_state::Pdu;
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
use crate::history_place::HistoryPlace;
use crate::loading::LoadError;
use crate::operation::{Advance, Operation};
use crate::reading::RoomReading;
use crate::schema::{BackwardExtremities, BackwardExtremitiesRow, History, Outcome};
use crate::state_change::Changes;

/// Rejected and soft-failed events that are walked through in search of forward extremities.
const MAX_WALK: usize = 1_000;

/// Forward extremities of one room. An event that does not follow them all is resolved with the rest, and a resolution takes 64 forks.
const MAX_EXTREMITIES: usize = 32;

/// Gaps of one room that are looked at.
const MAX_GAPS: usize = 1_000;

/// Places in graph order that are looked at for a free one.
const MAX_PLACES: usize = 4_096;

/// Differences from the current state whose events are read again under the guard, where the room has moved on since they were read.
const MAX_READ_AGAIN: usize = 64;

/// What to do once the guard is held.
pub(super) struct Plan {
    /// The accepted events that the event follows.
    followed: BTreeSet<EventNumber>,
    fills_gap: bool,
    /// The states after the forward extremities that stay: what the rest of the plan was made of, besides the current state.
    beside: BTreeSet<Root>,
    /// The current state afterwards, but for the event's own change where that comes on top, because no extremity stays.
    pub state: Resolved,
    own_on_top: bool,
    /// How that differs from the current state before.
    differences: Changes,
    /// Where the event stands in graph order; `None` for after all others.
    pub place: Option<HistoryPlace>,
    /// Nodes of states that are not written yet.
    _held: Vec<InFlight>,
}

/// What a plan is carried out on.
pub(super) struct Present {
    around: Around,
    differences: Changes,
}

/// The forward extremities around an event.
struct Around {
    /// Those that stay.
    staying: Vec<Arc<RoomEvent>>,
    /// Whether the event becomes one.
    becomes_extremity: bool,
}

impl Ingest {
    /// Plans how an event that stands on `before` becomes part of the live room. `gaps` are those that name it.
    pub(super) async fn plan(
        &self,
        site: &Site,
        reading: &RoomReading,
        event: &Pdu,
        before: &Before,
        gaps: &[(HistoryPlace, BackwardExtremitiesRow)],
    ) -> Result<Plan, LoadError> {
        let followed = followed_by(reading, event).await?;
        let fills_gap = !gaps.is_empty();
        let around = Around::of(event, reading.forward_extremities(), &followed, fills_gap);
        let own_on_top = around.staying.is_empty();
        let mut held = Vec::new();
        let state = if own_on_top {
            before.state.clone()
        } else {
            let mut roots = around.states();
            if around.becomes_extremity {
                let number = reading.event_by_id(event.event_id()).await?.map(|known| known.number);
                let mut after = before.state.clone();
                after.changes.extend(event.as_state().zip(number).map(|(key, number)| (key, Some(number))));
                roots.push(self.pinned(reading, &after, &mut held).await?);
            }
            self.resolve(reading, &roots).await?
        };
        let root = self.pinned(reading, &state, &mut held).await?;
        let differences = reading.differences(reading.view().root, root).await?;
        let place = match gaps.first() {
            Some((above, _)) => free_below(reading, site, *above).await?,
            None => None,
        };
        let beside = around.states().into_iter().collect();
        Ok(Plan { followed, fills_gap, beside, state, own_on_top, differences, place, _held: held })
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

impl Plan {
    /// The plan as it is carried out on a room whose current state is the one that it was made for; `None` if other states stand beside the event
    /// by now, or too much would have to be read again. `is_same`: nothing at all was written since.
    pub async fn onto(
        &self,
        operation: &Operation<'_>,
        event: &Pdu,
        is_same: bool,
    ) -> Result<Option<Present>, StoreFault> {
        let around = Around::of(event, operation.forward_extremities(), &self.followed, self.fills_gap);
        let states: BTreeSet<Root> = around.states().into_iter().collect();
        let holds = states == self.beside && around.staying.is_empty() == self.own_on_top;
        if !holds || !is_same && self.differences.events() > MAX_READ_AGAIN {
            return Ok(None);
        }
        let mut differences = self.differences.clone();
        if !is_same {
            // One of them may have been redacted.
            for event in differences.events_mut() {
                *event = operation.event(event.number).await?;
            }
        }
        Ok(Some(Present { around, differences }))
    }

    /// What the event, which has its place now, makes of the live room. `root` is that of the planned state.
    pub fn advance(&self, present: Present, mut root: Root, event: &Arc<RoomEvent>) -> Advance {
        let Present { around, differences: mut changes } = present;
        if self.own_on_top {
            root = event.facts.after.unwrap_or(root);
            changes.put(event);
        } else {
            changes.put_placed(event);
        }
        let own = around.becomes_extremity.then(|| Arc::clone(event));
        let forward_extremities = around.staying.into_iter().chain(own).collect();
        Advance { forward_extremities, root, changes }
    }
}

impl Around {
    fn of(
        event: &Pdu,
        extremities: &[Arc<RoomEvent>],
        followed: &BTreeSet<EventNumber>,
        fills_gap: bool,
    ) -> Self {
        let staying = extremities.iter().filter(|extremity| !followed.contains(&extremity.number));
        let mut staying: Vec<Arc<RoomEvent>> = staying.cloned().collect();
        let becomes_extremity = !fills_gap || staying.is_empty();
        if becomes_extremity {
            make_room(&mut staying, event);
        }
        Self { staying, becomes_extremity }
    }

    /// The states after those that stay.
    fn states(&self) -> Vec<Root> {
        self.staying.iter().filter_map(|extremity| extremity.state_after()).collect()
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
) -> Result<Vec<(HistoryPlace, BackwardExtremitiesRow)>, LoadError> {
    let range = KeyRange::<BackwardExtremities>::prefix(&site.number);
    let page = reading.snapshot().scan(range, Direction::Backward, MAX_GAPS).await?;
    let naming = page.rows.into_iter().filter(|(_, gap)| gap.missing.iter().any(|id| id == event));
    Ok(naming.map(|((_, place), gap)| (place, gap)).collect())
}

/// The next free place below another one.
pub(super) async fn free_below(
    reading: &RoomReading,
    site: &Site,
    above: HistoryPlace,
) -> Result<Option<HistoryPlace>, LoadError> {
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
