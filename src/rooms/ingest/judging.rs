//! The stages that need the room: the rules by the state before the event and by the current one, and the event's place.
//!
//! Owns: the [`Verdict`] and carrying it out under the guard. Does not own: fetching.
//!
//! Invariants: everything long happens on a reading of the room; under the guard it holds only if the room has not moved on. After a few
//! attempts the guard is kept, so that a busy room cannot hold out an event for ever.

use std::sync::Arc;

use plop_db::{CommitError, Direction, KeyRange};
use plop_state::auth::{self, AuthError, NotAuthorised};
use plop_state::{Pdu, StateKey};
use plop_state_store::RoomNumber;
use plop_state_store::resolver::Resolved;
use ruma::{EventId, OwnedEventId};

use super::before::Before;
use super::extremities::{Plan, gaps_naming};
use super::gate::Ingest;
use super::site::Site;
use super::turns::Turn;
use super::verifying::Unfit;
use crate::event::RoomEvent;
use crate::fault::StoreFault;
use crate::loading::LoadError;
use crate::operation::{Advance, Operation, Placement};
use crate::rank::Rank;
use crate::reading::RoomReading;
use crate::rooms::settle;
use crate::schema::{BackwardExtremities, BackwardExtremitiesRow, Outcome, WaitingEvents, WaitingRedactions};
use crate::slot::RoomSlot;
use crate::writer::RoomWriter;

/// How often the room may move on while an event is judged before it has to wait for the event.
const ATTEMPTS: u32 = 4;

/// How often the room may be loaded anew while an event is judged.
const LOADS: u32 = 4;

/// How often a commit may be refused before that is the caller's.
const MAX_ATTEMPTS: u32 = 8;

/// Redactions that wait for one event and are looked at.
const MAX_REDACTIONS: usize = 100;

/// What became of an event that was handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Part of the room.
    Accepted,
    /// Part of the graph, shown to nobody.
    SoftFailed,
    /// Refused by a rule, for ever.
    Rejected(AuthError),
    /// It was judged before.
    Known(Outcome),
    /// Something it needs cannot be had; it is kept and judged when that is there.
    Waiting,
    /// Not kept.
    Dropped(Unfit),
}

/// An event with what was found out about it.
struct Judged {
    event: Pdu,
    before: Before,
    refusal: Option<AuthError>,
    /// The room as it was loaded when that was found out.
    slot: Arc<RoomSlot>,
}

/// What is to be done with an event as the room stands.
enum Outlook {
    /// Nothing: it has got its place in the meantime.
    Placed(Outcome),
    /// It needs a number before its change can be resolved with others'.
    OutlierFirst,
    Place(Course),
}

/// An event's place.
struct Course {
    outcome: Outcome,
    /// The gaps that name the event.
    gaps: Vec<(Rank, BackwardExtremitiesRow)>,
    /// What it makes of the live room, if it is accepted.
    plan: Option<Plan>,
}

impl Ingest {
    /// Takes in a verified event, with what lies between it and what is here.
    pub(super) async fn take_in(&self, site: &Site, event: Pdu) -> Result<Verdict, LoadError> {
        if let Some(outcome) = self.known(site, event.event_id()).await? {
            return Ok(Verdict::Known(outcome));
        }
        if !self.missing_parents(site, &event).await?.is_empty() {
            for between in self.fetch_between(site, &event).await? {
                self.judge(site, between).await?;
            }
        }
        match self.judge(site, event.clone()).await? {
            Verdict::Waiting => self.wait(site, &event).await,
            verdict => Ok(verdict),
        }
    }

    /// Judges a verified event and gives it its place.
    pub(super) async fn judge(&self, site: &Site, event: Pdu) -> Result<Verdict, LoadError> {
        if let Some(outcome) = self.known(site, event.event_id()).await? {
            return Ok(Verdict::Known(outcome));
        }
        if event.type_name() == "m.room.create" {
            return Ok(Verdict::Dropped(Unfit::SecondCreate));
        }
        for _ in 0..LOADS {
            let Some(judged) = self.find_out(site, &event).await? else { return Ok(Verdict::Waiting) };
            if let Some(verdict) = self.carry_out(site, judged).await? {
                return Ok(verdict);
            }
        }
        Ok(Verdict::Waiting)
    }

    /// What the rules say by the event's auth events and by the state before it; nothing where one of them is missing.
    async fn find_out(&self, site: &Site, event: &Pdu) -> Result<Option<Judged>, LoadError> {
        let slot = Arc::clone(self.read(site).await?.slot());
        let refusal = match self.check_by_auth_events(site, event).await? {
            Ok(()) => None,
            Err(NotAuthorised::Rejected(error)) => Some(error),
            Err(NotAuthorised::Missing(_)) => return Ok(None),
        };
        let Some(before) = self.state_before(site, event).await? else { return Ok(None) };
        let reading = self.read(site).await?;
        let refusal = match refusal {
            Some(refusal) => Some(refusal),
            None => check_in(&reading, event, &before.state).await?.err(),
        };
        Ok(Some(Judged { event: event.clone(), before, refusal, slot }))
    }

    /// The outcome of an event that has its place already. It is on disk: who handed the event over may forget it.
    async fn known(&self, site: &Site, event: &EventId) -> Result<Option<Outcome>, LoadError> {
        if placed(&self.read(site).await?, event).await?.is_none() {
            return Ok(None);
        }
        let _turn = self.turn_to_place(site).await?;
        placed(&self.read(site).await?, event).await
    }

    /// The turn to give an event its place. What was submitted before is on disk or refused, also by whoever was dropped meanwhile, and no rows
    /// are behind the room's state.
    pub(super) async fn turn_to_place(&self, site: &Site) -> Result<Turn<RoomNumber>, LoadError> {
        let turn = self.placing.take(&site.number).await;
        let reading = self.read(site).await?;
        reading.slot().drained().await;
        if reading.is_behind() {
            self.rooms.catch_up(site.number).await?;
        }
        Ok(turn)
    }

    /// No verdict: the room has been loaded anew, and what was found out may rest on events that were refused.
    async fn carry_out(&self, site: &Site, judged: Judged) -> Result<Option<Verdict>, LoadError> {
        let _turn = self.turn_to_place(site).await?;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let writer = self.guard(site).await?;
            if !writer.is_of(&judged.slot) {
                return Ok(None);
            }
            let reading = writer.reading();
            if attempt > MAX_ATTEMPTS {
                return Ok(Some(Verdict::Waiting));
            }
            // The last attempts keep the guard: the room waits for this event.
            let kept = (attempt > ATTEMPTS).then_some(writer);
            let course = match self.outlook(site, &reading, &judged).await? {
                Outlook::Placed(outcome) => return Ok(Some(Verdict::Known(outcome))),
                Outlook::OutlierFirst => {
                    drop(kept);
                    self.keep_outliers(site, [judged.event.clone()]).await?;
                    continue;
                }
                Outlook::Place(course) => course,
            };
            let writer = match kept {
                Some(writer) => writer,
                None => self.guard(site).await?,
            };
            if !writer.is_at(&reading) {
                continue;
            }
            match self.write(writer, site, &judged, &course).await {
                Err(StoreFault::Commit(CommitError::Conflict { .. })) if attempt < MAX_ATTEMPTS => {}
                Err(fault) => return Err(fault.into()),
                Ok(()) => return Ok(Some(verdict(course.outcome, judged.refusal))),
            }
        }
    }

    /// What is to be done with an event as the room stands.
    async fn outlook(
        &self,
        site: &Site,
        reading: &RoomReading,
        judged: &Judged,
    ) -> Result<Outlook, LoadError> {
        let Judged { event, before, refusal, .. } = judged;
        let known = reading.event_by_id(event.event_id()).await?;
        if let Some(known) = known.as_ref().filter(|known| known.facts.before.is_some()) {
            return Ok(Outlook::Placed(known.facts.outcome));
        }
        let gaps = gaps_naming(reading, site, event.event_id()).await?;
        let outcome = match refusal {
            Some(_) => Outcome::Rejected,
            None if soft_fails(reading, event).await? => Outcome::SoftFailed,
            None => Outcome::Accepted,
        };
        if outcome != Outcome::Accepted {
            return Ok(Outlook::Place(Course { outcome, gaps, plan: None }));
        }
        if known.is_none() && self.needs_number(reading, event).await? {
            return Ok(Outlook::OutlierFirst);
        }
        let number = known.map(|known| known.number);
        let plan = self.plan(site, reading, event, number, before, &gaps).await?;
        Ok(Outlook::Place(Course { outcome, gaps, plan: Some(plan) }))
    }

    async fn write(
        &self,
        mut writer: RoomWriter,
        site: &Site,
        judged: &Judged,
        course: &Course,
    ) -> Result<(), StoreFault> {
        let Course { outcome, gaps, plan } = course;
        let mut operation = writer.begin();
        let before = operation.state_root(&judged.before.state).await?;
        let provisional = operation.is_partial();
        let backward_extremities = still_missing(&operation, &judged.before.backward_extremities).await?;
        let rank = plan.as_ref().and_then(|plan| plan.rank);
        let placement = Placement { outcome: *outcome, provisional, before, rank, backward_extremities };
        let event = match operation.event_by_id(judged.event.event_id()).await? {
            Some(known) if known.facts.before.is_some() => return Ok(()),
            Some(known) => operation.place_known(&known, placement).await?,
            None => operation.place(judged.event.clone(), placement, None).await?,
        };
        close_gaps(&mut operation, site, gaps, event.pdu.event_id());
        stop_waiting(&mut operation, event.pdu.event_id()).await?;
        if let Some(plan) = plan {
            advance(&mut operation, &event, plan).await?;
            apply_redactions(&mut operation, &event).await?;
        }
        let is_behind = operation.is_behind();
        let submitted = operation.submit().await;
        drop(writer);
        settle(submitted).await?;
        if is_behind {
            self.rooms.try_to_catch_up(site.number).await;
        }
        Ok(())
    }
}

/// The previous events that have not come in the meantime.
pub(super) async fn still_missing(
    operation: &Operation<'_>,
    parents: &[OwnedEventId],
) -> Result<Vec<OwnedEventId>, StoreFault> {
    let mut missing = Vec::new();
    for id in parents {
        if operation.event_by_id(id).await?.is_none_or(|parent| parent.facts.before.is_none()) {
            missing.push(id.clone());
        }
    }
    Ok(missing)
}

/// Makes a placed event part of the live room.
async fn advance(
    operation: &mut Operation<'_>,
    event: &Arc<RoomEvent>,
    plan: &Plan,
) -> Result<(), StoreFault> {
    let mut root = operation.state_root(&plan.state).await?;
    let own = event.pdu.as_state();
    let mut changes = plan.differences.clone();
    for (_, current) in &mut changes {
        if current.as_ref().is_some_and(|current| current.number == event.number) {
            *current = Some(Arc::clone(event));
        }
    }
    if plan.own_on_top {
        root = event.facts.after.unwrap_or(root);
        changes.retain(|(key, _)| Some(key) != own.as_ref());
        changes.extend(own.map(|key| (key, Some(Arc::clone(event)))));
    }
    let own = plan.becomes_extremity.then(|| Arc::clone(event));
    let forward_extremities = plan.staying.iter().cloned().chain(own).collect();
    operation.accept(event, Advance { forward_extremities, root, changes }).await
}

/// Applies an event that is a redaction, and the redactions that have waited for it.
pub(super) async fn apply_redactions(
    operation: &mut Operation<'_>,
    event: &Arc<RoomEvent>,
) -> Result<(), StoreFault> {
    operation.apply_redaction(event).await?;
    let room = operation.view().number;
    let waiting = KeyRange::<WaitingRedactions>::prefix(&(room, event.pdu.event_id_owned().clone()));
    let waiting = operation.snapshot().scan(waiting, Direction::Forward, MAX_REDACTIONS).await?;
    let mut keys: Vec<_> = waiting.rows.into_iter().map(|(key, ())| key).collect();
    // Our own users' redactions do not wait for a turn, and their rows may be in flight.
    let in_flight = operation.pending().filter(|redaction| {
        redaction.pdu.type_name() == "m.room.redaction"
            && redaction.pdu.redacts() == Some(event.pdu.event_id())
    });
    let in_flight = in_flight.map(|redaction| (room, event.pdu.event_id_owned().clone(), redaction.number));
    let in_flight: Vec<_> = in_flight.filter(|key| !keys.contains(key)).collect();
    keys.extend(in_flight);
    for key in keys {
        let redaction = operation.event(key.2).await?;
        if redaction.facts.outcome != Outcome::Accepted {
            continue;
        }
        let target = operation.event(event.number).await?;
        operation.apply_redaction_to(&redaction, &target);
        operation.batch().delete::<WaitingRedactions>(&key);
    }
    Ok(())
}

/// Lets go of the copy of an event that has waited to be judged.
pub(super) async fn stop_waiting(operation: &mut Operation<'_>, event: &EventId) -> Result<(), StoreFault> {
    let key = (operation.view().number, event.to_owned());
    if operation.snapshot().get::<WaitingEvents>(&key).await?.is_some() {
        operation.batch().delete::<WaitingEvents>(&key);
    }
    Ok(())
}

/// Takes an event that is here now out of the gaps that name it.
pub(super) fn close_gaps(
    operation: &mut Operation<'_>,
    site: &Site,
    gaps: &[(Rank, BackwardExtremitiesRow)],
    event: &EventId,
) {
    for (rank, gap) in gaps {
        let missing: Vec<_> = gap.missing.iter().filter(|id| *id != event).cloned().collect();
        let key = (site.number, *rank);
        if missing.is_empty() {
            operation.batch().delete::<BackwardExtremities>(&key);
        } else {
            operation.batch().put::<BackwardExtremities>(&key, &BackwardExtremitiesRow { missing });
        }
    }
}

/// The outcome of an event that has its place already.
pub(super) async fn placed(reading: &RoomReading, event: &EventId) -> Result<Option<Outcome>, LoadError> {
    let known = reading.event_by_id(event).await?;
    Ok(known.filter(|known| known.facts.before.is_some()).map(|known| known.facts.outcome))
}

/// Whether a state lets an event in.
pub(super) async fn check_in(
    reading: &RoomReading,
    event: &Pdu,
    state: &Resolved,
) -> Result<Result<(), AuthError>, LoadError> {
    let rules = reading.view().rules;
    let mut keys = auth::types_of(event, rules);
    keys.push(StateKey::create());
    let events = reading.state_events(state, &keys).await?;
    Ok(auth::check(event, rules, |key| events.get(key).cloned()))
}

/// Whether the current state refuses an event (server-server API, "Soft failure").
async fn soft_fails(reading: &RoomReading, event: &Pdu) -> Result<bool, LoadError> {
    let current = Resolved { base: reading.view().root, changes: Vec::new() };
    Ok(check_in(reading, event, &current).await?.is_err())
}

fn verdict(outcome: Outcome, refusal: Option<AuthError>) -> Verdict {
    match (outcome, refusal) {
        (Outcome::Rejected, Some(error)) => Verdict::Rejected(error),
        (Outcome::Accepted, _) => Verdict::Accepted,
        (Outcome::SoftFailed, _) => Verdict::SoftFailed,
        (outcome @ (Outcome::Rejected | Outcome::Outlier), _) => Verdict::Known(outcome),
    }
}
