//! Auth events: fetched where they are missing, checked, and kept as outliers.
//!
//! Owns: the check of an event by the events that it cites. Does not own: an event's place in the graph.
//!
//! Invariants: an event becomes an outlier only when all that it cites is here, so an auth chain that could not be fetched to its end leaves
//! nothing behind that looks complete. Walks are bounded in events and rounds.

use std::collections::BTreeMap;

use plop_state::auth::{self, AuthError, Cited, NotAuthorised};
use plop_state::{Pdu, Rules};
use ruma::OwnedEventId;

use super::gate::Ingest;
use super::intake::IntakeError;
use super::site::Site;
use super::verifying::Unfit;
use crate::event::RoomEvent;
use crate::fault::StoreFault;
use crate::loading::LoadError;
use crate::operation::Operation;
use crate::reading::RoomReading;
use crate::rooms::settle;
use crate::schema::Outcome;

/// Events of one auth chain that are looked at. The largest rooms have some ten thousand.
const MAX_CHAIN: usize = 50_000;

/// Rounds of single events, for a chain that `/event_auth` did not give whole.
const ROUNDS: usize = 8;

/// Single events asked for in one round.
const EVENTS_IN_ROUND: usize = 32;

/// Bytes of events in one batch, well below what a batch may hold.
const BATCH_BYTES: usize = 512 * 1024;

/// Events in one batch.
const BATCH_EVENTS: usize = 256;

impl Ingest {
    /// Whether an event is allowed by what it cites, which is fetched where it is not here.
    pub(super) async fn check_by_auth_events(
        &self,
        site: &Site,
        event: &Pdu,
    ) -> Result<Result<(), NotAuthorised>, LoadError> {
        let reading = self.read(site).await?;
        let known = cited_in(&reading, event).await?;
        let verdict = by_cited(event, site, reading.view().kept_type("m.room.create"), &known);
        if !matches!(verdict, Err(NotAuthorised::Missing(_))) {
            return Ok(verdict);
        }
        self.fetch_auth_events(site, event).await?;
        let reading = self.read(site).await?;
        let known = cited_in(&reading, event).await?;
        Ok(by_cited(event, site, reading.view().kept_type("m.room.create"), &known))
    }

    /// Asks for the auth chain of an event and keeps what of it can be judged.
    async fn fetch_auth_events(&self, site: &Site, event: &Pdu) -> Result<(), LoadError> {
        let permit = self.answer_permit().await;
        let mut intake = self.intake(site, MAX_CHAIN, &permit);
        if let Ok(chain) = self.remote.event_auth(&site.from, &site.id, event.event_id()).await {
            // What has come before it broke off may do.
            loaded(intake.take(chain).await)?;
        }
        for _ in 0..ROUNDS {
            let mut has_found = false;
            for id in intake.unknown(event, EVENTS_IN_ROUND).await? {
                if let Ok(Ok(event)) = self.fetch_event(site, &id).await {
                    has_found |= loaded(intake.take_event(&event).await)?.is_some();
                }
            }
            if !has_found {
                break;
            }
        }
        intake.finish().await.map(drop)
    }

    /// One event by its id, verified; no event if nobody can be asked.
    pub(super) async fn fetch_event(
        &self,
        site: &Site,
        id: &OwnedEventId,
    ) -> Result<Result<Pdu, Unfit>, crate::remote::RemoteError> {
        let raw = self.remote.event(&site.from, &site.id, id).await?;
        let event = match self.verify(site, &raw).await {
            Err(Unfit::Keys(error)) => return Err(error),
            other => other,
        };
        Ok(event.and_then(|event| if event.event_id() == id { Ok(event) } else { Err(Unfit::OtherEvent) }))
    }

    /// Judges events by what they cite and keeps them as outliers, or as rejected. They come after those among them that they cite; those whose auth
    /// events are missing are left out.
    pub(super) async fn keep_in_order(&self, site: &Site, events: Vec<Pdu>) -> Result<(), LoadError> {
        let mut left = events.into_iter().peekable();
        while left.peek().is_some() {
            let mut writer = self.guard(site).await?;
            let mut operation = writer.begin();
            let (mut bytes, mut count) = (0, 0);
            while let Some(event) = left.next_if(|_| bytes < BATCH_BYTES && count < BATCH_EVENTS) {
                bytes += event.canonical().len();
                count += 1;
                keep_outlier(&mut operation, site, event).await?;
            }
            if operation.is_empty() {
                continue;
            }
            let submitted = operation.submit().await;
            drop(writer);
            settle(submitted).await?;
        }
        Ok(())
    }
}

async fn keep_outlier(operation: &mut Operation<'_>, site: &Site, event: Pdu) -> Result<(), StoreFault> {
    if operation.event_by_id(event.event_id()).await?.is_some() {
        return Ok(());
    }
    let mut known = BTreeMap::new();
    for id in cited_ids(&event, site.rules) {
        if let Some(cited) = operation.event_by_id(&id).await? {
            known.insert(id, as_cited(&cited));
        }
    }
    let create = operation.view().kept_type("m.room.create").cloned();
    match by_cited(&event, site, create.as_ref(), &known) {
        Ok(()) => operation.put_outlier(event, Outcome::Outlier).await.map(|_| ()),
        Err(NotAuthorised::Rejected(_)) => operation.put_outlier(event, Outcome::Rejected).await.map(|_| ()),
        Err(NotAuthorised::Missing(_)) => Ok(()),
    }
}

/// What is known of the events that an event cites.
async fn cited_in(reading: &RoomReading, event: &Pdu) -> Result<BTreeMap<OwnedEventId, Cited>, LoadError> {
    let mut known = BTreeMap::new();
    for id in cited_ids(event, reading.view().rules) {
        if let Some(cited) = reading.event_by_id(&id).await? {
            known.insert(id, as_cited(&cited));
        }
    }
    Ok(known)
}

/// The auth events, and the create event that the room id of newer versions names.
fn cited_ids(event: &Pdu, rules: &Rules) -> Vec<OwnedEventId> {
    event.auth_events().iter().cloned().chain(event.implied_create(rules)).collect()
}

fn as_cited(event: &RoomEvent) -> Cited {
    match event.facts.outcome {
        Outcome::Rejected => Cited::Rejected,
        Outcome::Accepted | Outcome::SoftFailed | Outcome::Outlier => Cited::Accepted(event.pdu.clone()),
    }
}

fn by_cited(
    event: &Pdu,
    site: &Site,
    create: Option<&std::sync::Arc<RoomEvent>>,
    known: &BTreeMap<OwnedEventId, Cited>,
) -> Result<(), NotAuthorised> {
    let is_other = create.is_some_and(|create| create.pdu.event_id() != event.event_id());
    if event.type_name() == "m.room.create" && is_other {
        // A room has one create event; another one of the same server would pass every rule.
        return Err(NotAuthorised::Rejected(AuthError::SecondCreate));
    }
    auth::check_by_auth_events(event, site.rules, |id| known.get(id).cloned().unwrap_or(Cited::Missing))
}

/// What was taken of an answer, however it ended, unless it is the store that failed.
fn loaded<T>(taken: Result<T, IntakeError>) -> Result<Option<T>, LoadError> {
    match taken {
        Ok(taken) => Ok(Some(taken)),
        Err(IntakeError::TooLarge | IntakeError::Remote(_)) => Ok(None),
        Err(IntakeError::Load(error)) => Err(error),
    }
}
