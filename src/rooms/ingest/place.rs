//! An event that has been judged gets its place in the room, whatever was found out about it.
//!
//! Owns: the three steps to it ([`Ingest::give_place`]): [`outlier_first`](Ingest::outlier_first), [`plan`](Ingest::plan_course),
//! [`carry_out`](Ingest::carry_out), and what an event's place brings with it. Does not own: what the rules say ([`super::judging`]), what an accepted
//! event makes of the live room ([`super::extremities`]).
//!
//! Invariants: all that is long happens on a reading of the room. Under the guard it is only asked whether that still holds: it does as long as the
//! current state and the states beside the event are the same, so messages of a busy room hold out nobody. Where the state itself
//! changes again and again, the event is given up for now ([`Given::Outrun`]), and the guard is not kept for it.

use std::sync::Arc;

use plop_db::{CommitError, Direction, KeyRange};
use plop_state::Pdu;
use plop_state::auth::AuthError;
use plop_state_store::RoomNumber;
use plop_state_store::tree::Root;
use ruma::{EventId, OwnedEventId};

use super::before::Before;
use super::checking::{placed, soft_fails};
use super::extremities::{Plan, gaps_naming};
use super::gate::Ingest;
use super::site::Site;
use super::turns::Turn;
use crate::event::RoomEvent;
use crate::fault::StoreFault;
use crate::history_place::HistoryPlace;
use crate::loading::LoadError;
use crate::operation::{Operation, Placement};
use crate::reading::RoomReading;
use crate::rooms::settle;
use crate::schema::{BackwardExtremities, BackwardExtremitiesRow, Outcome, WaitingEvents, WaitingRedactions};
use crate::slot::RoomSlot;

/// How often the state of the room may change while an event gets its place before the event has to wait.
const ATTEMPTS: u32 = 8;

/// Redactions that wait for one event and are looked at.
const MAX_REDACTIONS: usize = 100;

/// An event with what was found out about it.
pub(super) struct Judged<'e> {
    pub event: &'e Pdu,
    pub before: Before,
    pub refusal: Option<AuthError>,
    /// The room as it was loaded when that was found out.
    pub slot: Arc<RoomSlot>,
}

/// What has become of an event that was judged.
#[derive(Debug)]
pub(super) enum Given {
    Placed(Outcome),
    /// It has got its place in the meantime.
    Known(Outcome),
    /// The room has been loaded anew, and what was found out may rest on events that were refused.
    LoadedAnew,
    /// Nothing is missing, but the room was faster each time.
    Outrun,
}

/// An event's place.
struct Course {
    outcome: Outcome,
    /// The current state by which it was not refused, or was.
    current: Root,
    /// The gaps that name the event. They hold as long as the turn is ours.
    gaps: Vec<(HistoryPlace, BackwardExtremitiesRow)>,
    /// What it makes of the live room, if it is accepted.
    plan: Option<Plan>,
}

impl Ingest {
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

    /// Gives an event its place.
    pub(super) async fn give_place(&self, site: &Site, judged: &Judged<'_>) -> Result<Given, LoadError> {
        let _turn = self.turn_to_place(site).await?;
        for _ in 0..ATTEMPTS {
            let reading = self.read(site).await?;
            if !Arc::ptr_eq(reading.slot(), &judged.slot) {
                return Ok(Given::LoadedAnew);
            }
            if let Some(outcome) = placed(&reading, judged.event.event_id()).await? {
                return Ok(Given::Known(outcome));
            }
            let outcome = match judged.refusal {
                Some(_) => Outcome::Rejected,
                None if soft_fails(&reading, judged.event).await? => Outcome::SoftFailed,
                None => Outcome::Accepted,
            };
            if outcome == Outcome::Accepted && self.outlier_first(site, &reading, judged.event).await? {
                continue;
            }
            let course = self.plan_course(site, &reading, judged, outcome).await?;
            if let Some(given) = self.carry_out(site, &reading, judged, &course).await? {
                return Ok(given);
            }
        }
        Ok(Given::Outrun)
    }

    /// Makes an accepted event an outlier if it needs a number, so that its change can be resolved with others'. Whether it did.
    async fn outlier_first(
        &self,
        site: &Site,
        reading: &RoomReading,
        event: &Pdu,
    ) -> Result<bool, LoadError> {
        let is_here = reading.event_by_id(event.event_id()).await?.is_some();
        if is_here || !self.needs_number(reading, event).await? {
            return Ok(false);
        }
        self.keep_in_order(site, vec![event.clone()]).await?;
        Ok(true)
    }

    /// What is to be done with an event as the room stands.
    async fn plan_course(
        &self,
        site: &Site,
        reading: &RoomReading,
        judged: &Judged<'_>,
        outcome: Outcome,
    ) -> Result<Course, LoadError> {
        let gaps = gaps_naming(reading, site, judged.event.event_id()).await?;
        let plan = match outcome {
            Outcome::Accepted => Some(self.plan(site, reading, judged.event, &judged.before, &gaps).await?),
            Outcome::Rejected | Outcome::SoftFailed | Outcome::Outlier => None,
        };
        Ok(Course { outcome, current: reading.view().root, gaps, plan })
    }

    /// Does it, under the guard. Nothing: the room has moved on, and the course does not hold any more.
    async fn carry_out(
        &self,
        site: &Site,
        reading: &RoomReading,
        judged: &Judged<'_>,
        course: &Course,
    ) -> Result<Option<Given>, LoadError> {
        let mut writer = self.guard(site).await?;
        if !writer.is_of(&judged.slot) {
            return Ok(Some(Given::LoadedAnew));
        }
        let is_same = writer.is_at(reading);
        let mut operation = writer.begin();
        if course.outcome != Outcome::Rejected && operation.view().root != course.current {
            return Ok(None);
        }
        let advance = match &course.plan {
            Some(plan) => match plan.onto(&operation, judged.event, is_same).await? {
                Some(present) => Some((plan, present)),
                None => return Ok(None),
            },
            None => None,
        };
        let event = enter(&mut operation, judged, course).await?;
        close_gaps(&mut operation, site, &course.gaps, event.pdu.event_id());
        stop_waiting(&mut operation, event.pdu.event_id()).await?;
        if let Some((plan, present)) = advance {
            let root = operation.state_root(&plan.state).await?;
            operation.accept(&event, plan.advance(present, root, &event)).await?;
            apply_redactions(&mut operation, &event).await?;
        }
        let is_behind = operation.is_behind();
        let submitted = operation.submit().await;
        drop(writer);
        match settle(submitted).await {
            Ok(_) => {}
            Err(StoreFault::Commit(CommitError::Conflict { .. })) => return Ok(Some(Given::LoadedAnew)),
            Err(fault) => return Err(fault.into()),
        }
        if is_behind {
            self.rooms.try_to_catch_up(site.number).await;
        }
        Ok(Some(Given::Placed(course.outcome)))
    }
}

/// Writes an event at its place. Nobody else has given it one: the turn is ours.
async fn enter(
    operation: &mut Operation<'_>,
    judged: &Judged<'_>,
    course: &Course,
) -> Result<Arc<RoomEvent>, StoreFault> {
    let Before { state, backward_extremities } = &judged.before;
    let placement = Placement {
        outcome: course.outcome,
        provisional: operation.is_partial(),
        before: operation.state_root(state).await?,
        place: course.plan.as_ref().and_then(|plan| plan.place),
        backward_extremities: still_missing(operation, backward_extremities).await?,
    };
    match operation.event_by_id(judged.event.event_id()).await? {
        Some(known) => operation.place_known(&known, placement).await,
        None => operation.place(judged.event.clone(), placement, None).await,
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
        operation.apply_redaction_to(&redaction, &target).await?;
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
    gaps: &[(HistoryPlace, BackwardExtremitiesRow)],
    event: &EventId,
) {
    for (place, gap) in gaps {
        let missing: Vec<_> = gap.missing.iter().filter(|id| *id != event).cloned().collect();
        let key = (site.number, *place);
        if missing.is_empty() {
            operation.batch().delete::<BackwardExtremities>(&key);
        } else {
            operation.batch().put::<BackwardExtremities>(&key, &BackwardExtremitiesRow { missing });
        }
    }
}
