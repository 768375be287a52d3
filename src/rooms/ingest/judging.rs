//! The stages that need the room: the rules by the state before the event and by the current one.
//!
//! Owns: the [`Verdict`], and what it takes to come to one. Does not own: fetching, the event's place ([`super::place`]), events that wait
//! ([`super::waiting`]).
//!
//! Invariants: no verdict rests on events that were refused since it was found out.

use std::sync::Arc;

use plop_state::Pdu;
use plop_state::auth::{AuthError, NotAuthorised};
use ruma::EventId;

use super::checking::{check_in, placed};
use super::gate::Ingest;
use super::place::{Given, Judged};
use super::site::Site;
use super::verifying::Unfit;
use crate::loading::LoadError;
use crate::schema::Outcome;

/// How often the room may be loaded anew while an event is judged.
const LOADS: u32 = 4;

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
    /// Something it needs cannot be had, or the room has outrun it; it is kept, and judged when that has changed.
    Waiting,
    /// Not kept.
    Dropped(Unfit),
}

/// What judging an event has led to.
enum Judgement {
    Verdict(Verdict),
    /// Something it needs is missing.
    Missing,
    /// Nothing is missing: the room was faster. It is to be tried again.
    Outrun,
}

impl Ingest {
    /// Takes in a verified event, with what lies between it and what is here.
    pub(super) async fn take_in(&self, site: &Site, event: Pdu) -> Result<Verdict, LoadError> {
        if let Some(outcome) = self.known(site, event.event_id()).await? {
            return Ok(Verdict::Known(outcome));
        }
        if !self.missing_parents(site, &event).await?.is_empty() {
            for between in self.fetch_between(site, &event).await? {
                if matches!(self.judge(site, &between).await?, Judgement::Outrun) {
                    // It will be here: what comes after it must not be judged without it.
                    self.wait_outrun(site, &between).await?;
                    self.wait_outrun(site, &event).await?;
                    return Ok(Verdict::Waiting);
                }
            }
        }
        match self.judge(site, &event).await? {
            Judgement::Verdict(verdict) => return Ok(verdict),
            Judgement::Missing => self.wait(site, &event).await?,
            Judgement::Outrun => self.wait_outrun(site, &event).await?,
        }
        Ok(Verdict::Waiting)
    }

    /// Judges a verified event and gives it its place.
    async fn judge(&self, site: &Site, event: &Pdu) -> Result<Judgement, LoadError> {
        let _turn = self.judging.take(&(site.number, event.event_id_owned().clone())).await;
        if let Some(outcome) = self.known(site, event.event_id()).await? {
            return Ok(Judgement::Verdict(Verdict::Known(outcome)));
        }
        if event.type_name() == "m.room.create" {
            return Ok(Judgement::Verdict(Verdict::Dropped(Unfit::SecondCreate)));
        }
        for _ in 0..LOADS {
            let Some(judged) = self.find_out(site, event).await? else { return Ok(Judgement::Missing) };
            let verdict = match self.give_place(site, &judged).await? {
                Given::Placed(outcome) => verdict(outcome, judged.refusal),
                Given::Known(outcome) => Verdict::Known(outcome),
                Given::LoadedAnew => continue,
                Given::Outrun => break,
            };
            return Ok(Judgement::Verdict(verdict));
        }
        Ok(Judgement::Outrun)
    }

    /// What the rules say by the event's auth events and by the state before it; nothing where one of them is missing.
    async fn find_out<'e>(&self, site: &Site, event: &'e Pdu) -> Result<Option<Judged<'e>>, LoadError> {
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
        Ok(Some(Judged { event, before, refusal, slot }))
    }

    /// The outcome of an event that has its place already. It is on disk: who handed the event over may forget it.
    async fn known(&self, site: &Site, event: &EventId) -> Result<Option<Outcome>, LoadError> {
        if placed(&self.read(site).await?, event).await?.is_none() {
            return Ok(None);
        }
        let _turn = self.turn_to_place(site).await?;
        placed(&self.read(site).await?, event).await
    }
}

fn verdict(outcome: Outcome, refusal: Option<AuthError>) -> Verdict {
    match (outcome, refusal) {
        (Outcome::Rejected, Some(error)) => Verdict::Rejected(error),
        (Outcome::Accepted, _) => Verdict::Accepted,
        (Outcome::SoftFailed, _) => Verdict::SoftFailed,
        (outcome @ (Outcome::Rejected | Outcome::Outlier), _) => Verdict::Known(outcome),
    }
}
