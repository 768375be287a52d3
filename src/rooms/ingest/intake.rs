//! An answer that may be as large as a room, taken in while it comes.
//!
//! Owns: [`Intake`]: from the parts of an answer to outliers, parents first. Does not own: the texts meanwhile ([`super::staging`]), what an outlier
//! needs ([`super::outliers`]), what the answer is good for.
//!
//! Invariants: in memory are of each event its id, the ids that it cites and its depth, and the texts of [`CHUNK`] events at most. Keys are
//! asked for once. An answer of more than it may have has its own outcome ([`IntakeError::TooLarge`]), and nothing of it is kept.

use std::collections::{BTreeMap, BTreeSet};

use plop_state::Pdu;
use plop_state::sign::VerifyKeys;
use ruma::{EventId, OwnedEventId};

use super::gate::{AnswerPermit, Ingest};
use super::order::{Edges, in_order};
use super::site::Site;
use super::staging::Staging;
use super::verifying::{AT_A_TIME, Claims, Unfit, check, parse};
use crate::fault::StoreFault;
use crate::loading::LoadError;
use crate::remote::{RawPdu, RemoteError, RoomAnswer, RoomPart};

/// Events of a state with its auth chain in one answer. The largest rooms have some 200,000.
pub(super) const MAX_STATE: usize = 500_000;

/// Ids that the events of one answer have and cite. A state cites few events over and over.
const MAX_IDS: usize = 1_000_000;

/// Times that they cite one.
const MAX_CITATIONS: usize = 5_000_000;

/// Bytes of one answer.
const MAX_BYTES: usize = 1 << 30;

/// Events verified and kept at once.
const CHUNK: usize = 128;

/// Ids looked up at once.
const PAGE: usize = 1_000;

/// Why an answer was not taken in.
#[derive(Debug, thiserror::Error)]
pub(super) enum IntakeError {
    #[error("there is more in the answer than is taken in")]
    TooLarge,
    #[error(transparent)]
    Remote(#[from] RemoteError),
    #[error(transparent)]
    Load(#[from] LoadError),
}

impl From<StoreFault> for IntakeError {
    fn from(fault: StoreFault) -> Self {
        Self::Load(fault.into())
    }
}

/// An answer that is being taken in.
pub(super) struct Intake<'i> {
    ingest: &'i Ingest,
    site: &'i Site,
    _permit: &'i AnswerPermit,
    /// How many more events, citations and bytes it may have.
    left: Left,
    /// Ids of events and of what they cite, numbered as they come.
    ids: BTreeMap<OwnedEventId, u32>,
    events: BTreeMap<u32, Edges<u32>>,
    /// Those of the state.
    state: Vec<u32>,
    claims: Claims,
    texts: Staging,
    unfit: BTreeSet<u32>,
    undecided: BTreeSet<u32>,
}

struct Left {
    events: usize,
    citations: usize,
    bytes: usize,
}

/// What has become of an answer. Whatever it had that is an event of the room is here, as an outlier at least.
pub(super) struct Taken {
    /// The events of its state, in the order in which they came, without those that are certainly or perhaps none.
    pub state: Vec<OwnedEventId>,
    /// Those that are no events of their servers, or rest on one that is none.
    pub unfit: BTreeSet<OwnedEventId>,
}

impl Ingest {
    /// Begins to take in an answer of at most so many events.
    pub(super) fn intake<'i>(
        &'i self,
        site: &'i Site,
        max_events: usize,
        permit: &'i AnswerPermit,
    ) -> Intake<'i> {
        Intake {
            ingest: self,
            site,
            _permit: permit,
            left: Left { events: max_events, citations: MAX_CITATIONS, bytes: MAX_BYTES },
            ids: BTreeMap::new(),
            events: BTreeMap::new(),
            state: Vec::new(),
            claims: Claims::default(),
            texts: self.staging(site.number),
            unfit: BTreeSet::new(),
            undecided: BTreeSet::new(),
        }
    }
}

impl Intake<'_> {
    /// Takes a whole answer. The join that is in it, if one is.
    pub async fn take(&mut self, mut answer: RoomAnswer) -> Result<Option<RawPdu>, IntakeError> {
        let mut join = None;
        while let Some(part) = answer.next().await? {
            match part {
                RoomPart::State(events) => {
                    let events = self.add(&events).await?;
                    self.state.extend(events);
                }
                RoomPart::AuthChain(events) => drop(self.add(&events).await?),
                RoomPart::Join(event) => join = Some(event),
            }
        }
        Ok(join)
    }

    /// Takes an event by itself.
    pub async fn take_event(&mut self, event: &Pdu) -> Result<(), IntakeError> {
        self.add(&[event.canonical().into()]).await.map(drop)
    }

    /// An event that the answer should have is none.
    pub fn refuse(&mut self, event: &OwnedEventId, reason: &Unfit) {
        let event = number_of(&mut self.ids, event);
        let refused = if reason.is_final() { &mut self.unfit } else { &mut self.undecided };
        refused.insert(event);
    }

    /// Whether the answer had an event, whatever that is worth.
    pub fn has(&self, event: &EventId) -> bool {
        self.ids.get(event).is_some_and(|number| self.events.contains_key(number))
    }

    /// Ids that an event, or one of the answer, cites and that are neither here nor in the answer; at most `limit`.
    pub async fn unknown(&self, event: &Pdu, limit: usize) -> Result<Vec<OwnedEventId>, LoadError> {
        let reading = self.ingest.read(self.site).await?;
        let cited = event.auth_events().iter().chain(self.ids.keys());
        let cited: Vec<_> =
            cited.filter(|id| !self.has(id)).cloned().collect::<BTreeSet<_>>().into_iter().collect();
        let mut unknown = Vec::new();
        for ids in cited.chunks(PAGE) {
            let are_here = reading.are_here(ids).await?;
            unknown
                .extend(ids.iter().zip(are_here).filter(|(_, is_here)| !is_here).map(|(id, _)| id.clone()));
            if unknown.len() >= limit {
                break;
            }
        }
        unknown.truncate(limit);
        Ok(unknown)
    }

    /// Keeps events, each once, until all have come. What cannot be parsed, or is of another room, has no id by which it could be named.
    async fn add(&mut self, events: &[RawPdu]) -> Result<Vec<u32>, IntakeError> {
        let mut numbers = Vec::with_capacity(events.len());
        for (index, raw) in events.iter().enumerate() {
            if index % AT_A_TIME == AT_A_TIME - 1 {
                tokio::task::yield_now().await;
            }
            let less = |left: usize, taken| left.checked_sub(taken).ok_or(IntakeError::TooLarge);
            self.left.events = less(self.left.events, 1)?;
            self.left.bytes = less(self.left.bytes, raw.len())?;
            let Ok(event) = parse(self.site, raw) else { continue };
            let number = number_of(&mut self.ids, event.event_id_owned());
            numbers.push(number);
            if self.events.contains_key(&number) {
                continue;
            }
            let cited = event.auth_events().iter().cloned().chain(event.implied_create(self.site.rules));
            let parents: Vec<u32> = cited.map(|id| number_of(&mut self.ids, &id)).collect();
            self.left.citations = less(self.left.citations, parents.len())?;
            less(MAX_IDS, self.ids.len())?;
            self.claims.note(&event, self.site.rules);
            self.events.insert(number, Edges { depth: event.depth(), parents });
            self.texts.put(number, event.canonical()).await?;
        }
        Ok(numbers)
    }

    /// Verifies what has come and keeps what can be judged, as outliers.
    pub async fn finish(mut self) -> Result<Taken, LoadError> {
        if self.site.has_waited {
            // Who has waited for keys long enough goes on without.
            self.unfit.append(&mut self.undecided);
        }
        let claims = std::mem::take(&mut self.claims);
        let keys = self.ingest.keys_for(claims).await.unwrap_or_default();
        let mut ids: Vec<_> = std::mem::take(&mut self.ids).into_iter().collect();
        ids.sort_unstable_by_key(|(_, number)| *number);
        let ids: Vec<OwnedEventId> = ids.into_iter().map(|(id, _)| id).collect();
        let mut order = in_order(&self.events);
        // What stands in a cycle is kept in no order, but what is said of it counts.
        let ordered: BTreeSet<u32> = order.iter().copied().collect();
        order.extend(self.events.keys().filter(|event| !ordered.contains(event)));
        drop(ordered);
        for chunk in order.chunks(CHUNK) {
            let fit = self.verified(chunk, &ids, &keys).await?;
            self.ingest.keep_in_order(self.site, fit).await?;
        }
        let named = |number: &u32| usize::try_from(*number).ok().and_then(|number| ids.get(number)).cloned();
        let is_refused = |event: &&u32| self.unfit.contains(event) || self.undecided.contains(event);
        let state = self.state.iter().filter(|event| !is_refused(event)).filter_map(named).collect();
        Ok(Taken { state, unfit: self.unfit.iter().filter_map(named).collect() })
    }

    /// Those of some events that are events of their servers.
    async fn verified(
        &mut self,
        events: &[u32],
        ids: &[OwnedEventId],
        keys: &VerifyKeys,
    ) -> Result<Vec<Pdu>, LoadError> {
        let texts = self.texts.texts(events).await?;
        let mut fit = Vec::with_capacity(events.len());
        for (index, (number, text)) in events.iter().zip(texts).enumerate() {
            if index % AT_A_TIME == AT_A_TIME - 1 {
                tokio::task::yield_now().await;
            }
            let id = usize::try_from(*number).ok().and_then(|number| ids.get(number)).cloned();
            // It was read from the same text before.
            let event = text.and_then(|text| Pdu::from_stored(text, id, self.site.rules).ok());
            let Some(event) = event else { continue };
            match check(self.site, event, keys) {
                Ok(event) => fit.push(event),
                Err(reason) if reason.is_final() || self.site.has_waited => drop(self.unfit.insert(*number)),
                Err(_) => drop(self.undecided.insert(*number)),
            }
            let cited = self.events.get(number).into_iter().flat_map(|event| &event.parents);
            if cited.into_iter().any(|cited| self.unfit.contains(cited)) {
                self.unfit.insert(*number);
            }
        }
        Ok(fit)
    }
}

/// The number of an id, given to it if it is new.
fn number_of(ids: &mut BTreeMap<OwnedEventId, u32>, id: &OwnedEventId) -> u32 {
    if let Some(number) = ids.get(id) {
        return *number;
    }
    // There are at most `MAX_IDS`, checked by whoever adds an event.
    let number = u32::try_from(ids.len()).unwrap_or(u32::MAX);
    ids.insert(id.clone(), number);
    number
}
