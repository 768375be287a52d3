//! The state before an event.
//!
//! Owns: what the states after its previous events resolve to; where some of those are not here, the state that its server tells, resolved
//! with what we have. Does not own: the checks against it.
//!
//! Invariants: without the state before all previous events there is none, never an empty one. A told state is taken only if it holds the room's own
//! create event and nothing of it that its server cannot show. Of what its server shows, only what is certainly no event is left out; an event
//! whose keys cannot be had is missing, and is left out only once the event has waited for them ([`Site::has_waited`]).

use std::collections::{BTreeMap, BTreeSet};

use plop_db::Batch;
use plop_state::{Pdu, StateKey};
use plop_state_store::resolver::Resolved;
use plop_state_store::tree::Root;
use plop_state_store::{EventNumber, Grove};
use ruma::OwnedEventId;

use super::gate::{AnswerPermit, Ingest};
use super::intake::{Intake, IntakeError, MAX_STATE};
use super::site::Site;
use crate::fault::StoreFault;
use crate::loading::LoadError;
use crate::reading::RoomReading;
use crate::remote::{RemoteError, StateIds};
use crate::schema::Outcome;

/// Missing events that are asked for one by one; for more, the whole state is.
const MAX_SINGLE: usize = 50;

/// Events of a told state that are looked up at once.
const PAGE: usize = 1_000;

/// Entries of a state written in one batch.
const ENTRIES_IN_BATCH: usize = 5_000;

/// The state before an event.
#[derive(Debug)]
pub(super) struct Before {
    pub state: Resolved,
    /// The previous events that are not here.
    pub backward_extremities: Vec<OwnedEventId>,
}

impl Ingest {
    /// The state before an event, or `None` if it cannot be known now.
    pub(super) async fn state_before(&self, site: &Site, event: &Pdu) -> Result<Option<Before>, LoadError> {
        let backward_extremities = self.missing_parents(site, event).await?;
        let told = match backward_extremities.is_empty() {
            true => None,
            false => match self.told_state(site, event).await? {
                Some(told) => Some(told),
                None => return Ok(None),
            },
        };
        let reading = self.read(site).await?;
        let mut roots = BTreeSet::from_iter(told);
        for id in event.prev_events() {
            roots.extend(reading.event_by_id(id).await?.and_then(|parent| parent.state_after()));
        }
        let roots: Vec<Root> = roots.into_iter().collect();
        if roots.is_empty() {
            return Ok(None);
        }
        let state = self.resolve(&reading, &roots).await?;
        Ok(Some(Before { state, backward_extremities }))
    }

    /// What several states of the room resolve to.
    pub(super) async fn resolve(
        &self,
        reading: &RoomReading,
        roots: &[Root],
    ) -> Result<Resolved, StoreFault> {
        let resolver = &self.rooms.core().state.resolver;
        let view = reading.view();
        let state = resolver.resolve(reading.snapshot(), view.grove(), view.rules, roots, reading).await?;
        if state.changes.len() <= ENTRIES_IN_BATCH {
            return Ok(state);
        }
        // More nodes than go into the batch of an event, so they are written before it.
        let base = self.keep_entries(view.grove(), state.base, &state.changes).await?;
        Ok(Resolved { base, changes: Vec::new() })
    }

    /// The previous events after which the state is not known here.
    pub(super) async fn missing_parents(
        &self,
        site: &Site,
        event: &Pdu,
    ) -> Result<Vec<OwnedEventId>, LoadError> {
        let reading = self.read(site).await?;
        let mut missing = Vec::new();
        for id in event.prev_events() {
            let parent = reading.event_by_id(id).await?;
            if parent.and_then(|parent| parent.state_after()).is_none() {
                missing.push(id.clone());
            }
        }
        Ok(missing)
    }

    /// The state before an event as its server tells it, once all of it is here.
    async fn told_state(&self, site: &Site, event: &Pdu) -> Result<Option<Root>, LoadError> {
        let permit = self.answer_permit().await;
        let Ok(ids) = self.remote.state_ids(&site.from, &site.id, event.event_id()).await else {
            return Ok(None);
        };
        if ids.state.len() + ids.auth_chain.len() > MAX_STATE {
            return Ok(None);
        }
        let Some(unfit) = self.fetch_state(site, event, &ids, &permit).await? else { return Ok(None) };
        let reading = self.read(site).await?;
        let mut state: BTreeMap<StateKey, EventNumber> = BTreeMap::new();
        for ids in ids.state.chunks(PAGE) {
            for (id, held) in ids.iter().zip(reading.events_by_id(ids).await?) {
                match held {
                    Some(held) if held.facts.outcome == Outcome::Rejected => {}
                    Some(held) => {
                        if let Some(key) = held.pdu.as_state() {
                            state.entry(key).or_insert(held.number);
                        }
                    }
                    None if unfit.contains(id) => {}
                    None => return Ok(None),
                }
            }
        }
        let create = reading.view().kept_type("m.room.create").map(|create| create.number);
        if create.is_none() || state.get(&StateKey::create()).copied() != create {
            return Ok(None);
        }
        self.keep_state(site, state).await.map(Some)
    }

    /// Fetches what of a state is not here. The ids of what its server shows and is no event, or rests on none; `None` if it cannot be asked.
    async fn fetch_state(
        &self,
        site: &Site,
        event: &Pdu,
        ids: &StateIds,
        permit: &AnswerPermit,
    ) -> Result<Option<BTreeSet<OwnedEventId>>, LoadError> {
        let reading = self.read(site).await?;
        let mut wanted = BTreeSet::new();
        for ids in ids.state.chunks(PAGE).chain(ids.auth_chain.chunks(PAGE)) {
            for (id, is_here) in ids.iter().zip(reading.are_here(ids).await?) {
                if !is_here {
                    wanted.insert(id.clone());
                }
            }
        }
        let mut intake = self.intake(site, MAX_STATE, permit);
        match self.take_wanted(site, event, wanted, &mut intake).await {
            Ok(()) => Ok(Some(intake.finish().await?.unfit)),
            Err(IntakeError::Load(error)) => Err(error),
            Err(IntakeError::TooLarge | IntakeError::Remote(_)) => Ok(None),
        }
    }

    /// Takes in what is wanted of a state: all of it, or one by one.
    async fn take_wanted(
        &self,
        site: &Site,
        event: &Pdu,
        mut wanted: BTreeSet<OwnedEventId>,
        intake: &mut Intake<'_>,
    ) -> Result<(), IntakeError> {
        if wanted.len() > MAX_SINGLE {
            intake.take(self.remote.state(&site.from, &site.id, event.event_id()).await?).await?;
            wanted.retain(|id| !intake.has(id));
        }
        if wanted.len() > MAX_SINGLE {
            // The server does not show what it tells of.
            return Err(RemoteError::Unreachable.into());
        }
        for id in wanted {
            match self.fetch_event(site, &id).await? {
                Ok(event) => intake.take_event(&event).await?,
                Err(reason) => intake.refuse(&id, &reason),
            }
        }
        Ok(())
    }

    /// Writes a state that nothing points at yet, in batches.
    pub(super) async fn keep_state(
        &self,
        site: &Site,
        state: BTreeMap<StateKey, EventNumber>,
    ) -> Result<Root, LoadError> {
        let grove = self.read(site).await?.view().grove();
        let entries: Vec<_> = state.into_iter().map(|(key, number)| (key, Some(number))).collect();
        Ok(self.keep_entries(grove, Root::EMPTY, &entries).await?)
    }

    /// Writes a state that is another one with some changes.
    async fn keep_entries(
        &self,
        grove: Grove,
        mut root: Root,
        changes: &[(StateKey, Option<EventNumber>)],
    ) -> Result<Root, StoreFault> {
        let core = self.rooms.core();
        let tree = &core.state.tree;
        for slice in tree.changes(changes).chunks(ENTRIES_IN_BATCH) {
            let mut batch = Batch::durable();
            let snapshot = core.db.snapshot();
            let (next, held) = tree.update_by_hash(&snapshot, &mut batch, grove, root, slice).await?;
            core.db.commit(batch).await?;
            drop(held);
            root = next;
        }
        Ok(root)
    }
}
