//! Events get their numbers, their places in graph order and their rows.
//!
//! Owns: what is written for an event besides its effect on the live room. Does not own: that effect ([`super::advancing`]).
//!
//! Invariants: only accepted events stand in graph order. A state event that was not rejected is in the index of auth chains from its first row
//! on, outliers included, so that whatever cites it can be.

use std::sync::Arc;

use plop_base::clock::UnixMillis;
use plop_state::{Pdu, StateKey};
use plop_state_store::EventNumber;
use plop_state_store::resolver::Resolved;
use plop_state_store::tree::Root;
use ruma::OwnedEventId;

use super::Operation;
use crate::event::RoomEvent;
use crate::fault::StoreFault;
use crate::history_place::HistoryPlace;
use crate::schema::{
    BackwardExtremities, BackwardExtremitiesRow, EventFacts, EventNumbers, EventTimes, Events, History,
    Outcome, SentBy,
};

/// Where an event from elsewhere stands, as ingest found out before it took the guard.
#[derive(Debug, Clone)]
pub struct Placement {
    pub outcome: Outcome,
    pub provisional: bool,
    /// The state before the event.
    pub before: Root,
    /// The place in graph order; `None` to stand after all live events. Only an accepted event takes one.
    pub place: Option<HistoryPlace>,
    /// The previous events that are not here: where history has a gap.
    pub backward_extremities: Vec<OwnedEventId>,
}

impl Operation<'_> {
    /// Gives an event its number, its place in graph order and its rows. It is not part of the live room yet ([`Operation::accept`]).
    pub async fn place(
        &mut self,
        pdu: Pdu,
        placement: Placement,
        sent_by: Option<SentBy>,
    ) -> Result<Arc<RoomEvent>, StoreFault> {
        let event = RoomEvent {
            number: self.take_number(),
            pdu,
            facts: EventFacts { sent_by, ..EventFacts::outlier() },
        };
        self.place_outlier(event, placement).await
    }

    /// Gives an outlier its place in the graph, now that this is known. What has happened to it so far stays.
    pub async fn place_known(
        &mut self,
        known: &RoomEvent,
        placement: Placement,
    ) -> Result<Arc<RoomEvent>, StoreFault> {
        self.place_outlier(known.clone(), placement).await
    }

    /// Writes an event whose place in the graph is not known: an outlier, or one that its auth events reject.
    pub async fn put_outlier(&mut self, pdu: Pdu, outcome: Outcome) -> Result<Arc<RoomEvent>, StoreFault> {
        let number = self.take_number();
        if let Some(key) = pdu.as_state().filter(|_| outcome != Outcome::Rejected) {
            self.link(&pdu, number, &key).await?;
        }
        let event =
            Arc::new(RoomEvent { number, pdu, facts: EventFacts { outcome, ..EventFacts::outlier() } });
        self.write(&event);
        Ok(event)
    }

    /// The root of a state that is given as changes of another one.
    pub async fn state_root(&mut self, state: &Resolved) -> Result<Root, StoreFault> {
        if state.changes.is_empty() {
            return Ok(state.base);
        }
        let (tree, grove) = (&self.core.state.tree, self.next.view.grove());
        let (root, held) =
            tree.update(&self.snapshot, &mut self.batch, grove, state.base, &state.changes).await?;
        self.held.push(held);
        Ok(root)
    }

    async fn place_outlier(
        &mut self,
        outlier: RoomEvent,
        placement: Placement,
    ) -> Result<Arc<RoomEvent>, StoreFault> {
        let RoomEvent { number, pdu, facts } = outlier;
        let Placement { outcome, provisional, before, place, backward_extremities } = placement;
        let key = pdu.as_state().filter(|_| outcome != Outcome::Rejected);
        let mut facts = EventFacts { outcome, provisional, before: Some(before), ..facts };
        if let Some(key) = &key {
            let (tree, grove) = (&self.core.state.tree, self.next.view.grove());
            facts.replaces = tree.get(&self.snapshot, grove, before, key).await?;
            let change = [(key.clone(), Some(number))];
            let (after, held) = tree.update(&self.snapshot, &mut self.batch, grove, before, &change).await?;
            self.held.push(held);
            facts.after = Some(after);
            self.link(&pdu, number, key).await?;
        }
        if outcome == Outcome::Accepted {
            facts.place = Some(self.take_place(place, backward_extremities));
        }
        let event = Arc::new(RoomEvent { number, pdu, facts });
        self.write(&event);
        self.relate(&event).await?;
        Ok(event)
    }

    /// The place in graph order, with the gap below it.
    fn take_place(&mut self, place: Option<HistoryPlace>, missing: Vec<OwnedEventId>) -> HistoryPlace {
        if let Some(place) = place {
            // The head guards the places above; this one was free when ingest looked.
            self.batch.expect::<History>(&(self.next.view.number, place), None);
        }
        let place = place.unwrap_or_else(|| {
            if !missing.is_empty() {
                self.next.next_place = self.next.next_place.above_gap();
            }
            let place = self.next.next_place;
            self.next.next_place = place.above();
            place
        });
        if !missing.is_empty() {
            self.batch.put::<BackwardExtremities>(
                &(self.next.view.number, place),
                &BackwardExtremitiesRow { missing },
            );
        }
        place
    }

    /// Adds a state event to the index of auth chains.
    async fn link(&mut self, pdu: &Pdu, number: EventNumber, key: &StateKey) -> Result<(), StoreFault> {
        let mut auth = Vec::with_capacity(pdu.auth_events().len());
        for id in pdu.auth_events() {
            // An event that was let in cites events that are here.
            auth.extend(self.event_by_id(id).await?.map(|event| event.number));
        }
        let room = self.next.view.number;
        let held = self.core.state.chains.add(&mut self.batch, room, number, key, &auth).await?;
        self.held.push(held);
        Ok(())
    }

    fn write(&mut self, event: &Arc<RoomEvent>) {
        let room = self.next.view.number;
        let number = event.number;
        if let Some(place) = event.facts.place {
            self.batch.put::<History>(&(room, place), &number);
            let time = UnixMillis(event.pdu.origin_server_ts().get().into());
            self.batch.put::<EventTimes>(&(room, time, place), &number);
        }
        let first_new = self.writer.next_event;
        if number < first_new {
            return self.rewrite(event);
        }
        self.batch.put::<EventNumbers>(&(room, event.pdu.event_id_owned().clone()), &number);
        self.batch.put::<Events>(&(room, number), &event.to_row());
        self.next.pending.insert(number, Arc::clone(event));
    }

    fn take_number(&mut self) -> EventNumber {
        let number = self.next.next_event;
        self.next.next_event = EventNumber(number.0.saturating_add(1));
        number
    }
}
