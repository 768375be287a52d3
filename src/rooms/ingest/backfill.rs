//! History: events from below a gap.
//!
//! Owns: fetching them and giving them their places in graph order. Does not own: when that is done.
//!
//! Invariants: they pass the same stages as live events, but for the check by the current state, and change nothing of the live room: not
//! the stream, not the forward extremities, not the current state.

use std::sync::Arc;

use plop_db::{Direction, KeyRange};
use plop_state::Pdu;
use plop_state::auth::NotAuthorised;
use plop_state_store::resolver::Resolved;
use plop_state_store::tree::Root;
use ruma::{RoomId, ServerName};

use super::checking::{check_in, placed};
use super::extremities::{free_below, gaps_naming};
use super::gate::Ingest;
use super::order::parents_first;
use super::place::{apply_redactions, close_gaps, still_missing, stop_waiting};
use super::site::Site;
use crate::history_place::HistoryPlace;
use crate::loading::LoadError;
use crate::operation::Placement;
use crate::rooms::settle;
use crate::schema::{BackwardExtremities, BackwardExtremitiesRow, History, Outcome};

/// Events asked for at once.
const MAX_EVENTS: usize = 100;

/// Gaps tried by one call. One that cannot be filled must not hide those below it.
const MAX_GAPS: usize = 8;

/// Places at which one request begins.
const MAX_FROM: usize = 20;

/// How often places are looked for anew because others fill the same gap.
const ROUNDS: usize = 8;

/// What became of an event from below a gap.
enum Filled {
    Placed,
    /// It cannot be judged, or has a place already.
    Left,
    /// Another event has its place by now.
    Taken,
}

impl Ingest {
    /// Fetches at most `limit` events from below the highest gap of a room that the server can fill. How many found a place; 0 when there is
    /// no gap, or the server has nothing for any of the highest ones.
    pub async fn backfill(&self, from: &ServerName, room: &RoomId, limit: usize) -> Result<usize, LoadError> {
        let Some(site) = self.shared_site(from, room).await? else { return Ok(0) };
        let reading = self.read(&site).await?;
        let range = KeyRange::<BackwardExtremities>::prefix(&site.number);
        let gaps = reading.snapshot().scan(range, Direction::Backward, MAX_GAPS).await?;
        for ((_, place), gap) in gaps.rows {
            let found = self.fill(&site, place, gap, limit).await?;
            if found > 0 {
                return Ok(found);
            }
        }
        Ok(0)
    }

    /// Fetches events from below one gap.
    async fn fill(
        &self,
        site: &Site,
        place: HistoryPlace,
        mut gap: BackwardExtremitiesRow,
        limit: usize,
    ) -> Result<usize, LoadError> {
        let reading = self.read(site).await?;
        gap.missing.truncate(MAX_FROM);
        let limit = limit.min(MAX_EVENTS);
        let answer = self.remote.backfill(&site.from, &site.id, &gap.missing, limit).await;
        let mut raw = answer.unwrap_or_default();
        raw.truncate(limit);
        let mut events = Vec::new();
        for event in self.verify_all(site, &raw).await {
            if placed(&reading, event.event_id()).await?.is_none() {
                events.push(event);
            }
        }
        // The lowest place first, so that the state before each follows from those below it.
        let mut events = parents_first(events, Pdu::prev_events);
        let mut filled = Vec::new();
        for _ in 0..ROUNDS {
            events = self.place_all(site, place, events, &mut filled).await?;
            if events.is_empty() {
                break;
            }
        }
        Ok(filled.len())
    }

    /// Gives events, lowest first, the places below another one and above those already `filled`. Which are left because somebody else
    /// has filled in history there.
    async fn place_all(
        &self,
        site: &Site,
        mut above: HistoryPlace,
        events: Vec<Pdu>,
        filled: &mut Vec<HistoryPlace>,
    ) -> Result<Vec<Pdu>, LoadError> {
        let reading = self.read(site).await?;
        let mut places = Vec::new();
        for _ in &events {
            let place = free_below(&reading, site, above).await?;
            let Some(place) = place.filter(|place| Some(place) > filled.last()) else { break };
            places.push(place);
            above = place;
        }
        let mut events = events.into_iter();
        while let Some(place) = places.pop()
            && let Some(event) = events.next()
        {
            match self.place_below(site, &event, place).await? {
                Filled::Placed => filled.push(place),
                Filled::Left => {}
                Filled::Taken => return Ok([event].into_iter().chain(events).collect()),
            }
        }
        Ok(Vec::new())
    }

    /// Gives an event its place in history, if it can be judged.
    async fn place_below(&self, site: &Site, event: &Pdu, place: HistoryPlace) -> Result<Filled, LoadError> {
        let _judging = self.judging.take(&(site.number, event.event_id_owned().clone())).await;
        let reading = self.read(site).await?;
        if placed(&reading, event.event_id()).await?.is_some() {
            return Ok(Filled::Left);
        }
        let slot = Arc::clone(reading.slot());
        let refused = match self.check_by_auth_events(site, event).await? {
            Ok(()) => false,
            Err(NotAuthorised::Rejected(_)) => true,
            Err(NotAuthorised::Missing(_)) => return Ok(Filled::Left),
        };
        let is_create = event.type_name() == "m.room.create";
        let (state, backward_extremities) = match self.state_before(site, event).await? {
            Some(before) => (before.state, before.backward_extremities),
            // Nothing comes before the room's own create event, which alone passes by its auth events.
            None if is_create && !refused => {
                (Resolved { base: Root::EMPTY, changes: Vec::new() }, Vec::new())
            }
            None => return Ok(Filled::Left),
        };
        let _turn = self.turn_to_place(site).await?;
        let reading = self.read(site).await?;
        if reading.snapshot().get::<History>(&(site.number, place)).await?.is_some() {
            return Ok(Filled::Taken);
        }
        let refused = refused || check_in(&reading, event, &state).await?.is_err();
        let outcome = if refused { Outcome::Rejected } else { Outcome::Accepted };
        let gaps = gaps_naming(&reading, site, event.event_id()).await?;
        let mut writer = self.guard(site).await?;
        if !writer.is_of(&slot) {
            // Something that the state was made of may have been refused.
            return Ok(Filled::Left);
        }
        let mut operation = writer.begin();
        let before = operation.state_root(&state).await?;
        let backward_extremities = still_missing(&operation, &backward_extremities).await?;
        let provisional = operation.is_partial();
        let placement = Placement { outcome, provisional, before, place: Some(place), backward_extremities };
        let id = event.event_id_owned().clone();
        let placed = match operation.event_by_id(&id).await? {
            Some(known) if known.facts.before.is_some() => return Ok(Filled::Left),
            Some(known) => operation.place_known(&known, placement).await?,
            None => operation.place(event.clone(), placement, None).await?,
        };
        close_gaps(&mut operation, site, &gaps, &id);
        stop_waiting(&mut operation, &id).await?;
        if outcome == Outcome::Accepted {
            apply_redactions(&mut operation, &placed).await?;
        }
        let submitted = operation.submit().await;
        drop(writer);
        settle(submitted).await?;
        Ok(Filled::Placed)
    }
}
