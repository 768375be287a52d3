//! The auth difference (rooms/v2, "State resolution", Definitions): the events that are in the full auth chains of some of the
//! states, not of all.
//!
//! An event is in the full auth chain of a state exactly when one of the events that lead to it (that cite it, directly or over others)
//! is in the state. So the walk goes down from the conflicted events only as long as it is in the difference, and for each event
//! that it meets it looks upwards for the states that lead there. That look ends as soon as it has met every state: mostly at once, since
//! the states hold an event of the same key that follows on it (a later power levels event, a later membership of the same user), else at
//! one of the newest events that cite it. It is complete only for events in the difference, and then what it visits came
//! after the fork.

use std::collections::{BTreeMap, BTreeSet};

use super::index::Chains;
use super::view::View;
use crate::error::StateError;
use crate::numbers::{EventNumber, RoomNumber};
use crate::secret::KeyHash;

/// What all states hold alike.
pub trait Unconflicted {
    /// For each key, the event that every state has under it.
    fn at(
        &self,
        keys: &[KeyHash],
    ) -> impl Future<Output = Result<Vec<Option<EventNumber>>, StateError>> + Send;
}

/// A set of forks.
type Forks = u64;

/// How many forks a resolution takes.
pub const MAX_FORKS: usize = Forks::BITS as usize;

/// Citing events are read in pages, the first one small since its newest event usually decides.
const FIRST_PAGE: usize = 8;
const LARGEST_PAGE: usize = 512;

/// After so many pages a question lets other tasks run.
const PAGES_BETWEEN_YIELDS: usize = 32;

impl Chains {
    /// The auth difference of the states after several forks. `conflicted` has, for each fork, its events of the keys that the forks do
    /// not hold alike; at most [`MAX_FORKS`] forks.
    pub async fn difference(
        &self,
        room: RoomNumber,
        conflicted: &[Vec<EventNumber>],
        unconflicted: &impl Unconflicted,
    ) -> Result<BTreeSet<EventNumber>, StateError> {
        if conflicted.len() > MAX_FORKS {
            return Err(StateError::TooManyForks(conflicted.len()));
        }
        let mut forks_of = BTreeMap::<EventNumber, Forks>::new();
        for (fork, events) in conflicted.iter().enumerate() {
            events.iter().for_each(|event| *forks_of.entry(*event).or_default() |= 1 << fork);
        }
        let all = (0..conflicted.len()).fold(0, |forks, fork| forks | 1 << fork);
        let view = self.view(room);
        let start: Vec<_> = forks_of.keys().copied().collect();
        let links = view.links(&start).await?;
        let mut below: Vec<_> = links.iter().flat_map(|links| links.auth.iter().copied()).collect();
        let mut by_key = BTreeMap::<_, Vec<_>>::new();
        for (event, links) in start.iter().zip(&links) {
            by_key.entry(links.key).or_default().push(*event);
        }

        let reached = BTreeMap::new();
        let mut search = Search { view: &view, unconflicted, forks_of, by_key, all, reached, pages: 0 };
        let mut seen = BTreeSet::new();
        let mut difference = BTreeSet::new();
        while let Some(event) = below.pop() {
            if seen.insert(event) && search.forks_leading_to(event).await? != all {
                difference.insert(event);
                below.extend_from_slice(&view.links_of(event).await?.auth);
            }
        }
        Ok(difference)
    }
}

struct Search<'a, U> {
    view: &'a View,
    unconflicted: &'a U,
    forks_of: BTreeMap<EventNumber, Forks>,
    /// The conflicted events of each key.
    by_key: BTreeMap<KeyHash, Vec<EventNumber>>,
    all: Forks,
    /// What has been found out: the forks in whose auth chain an event is.
    reached: BTreeMap<EventNumber, Forks>,
    pages: usize,
}

/// An event whose citing events are being looked at.
struct Step {
    event: EventNumber,
    auth_depth: u64,
    forks: Forks,
    /// Citing events of the last page that have not been entered.
    page: Vec<EventNumber>,
    page_size: usize,
    /// The oldest citing event so far.
    oldest: Option<EventNumber>,
}

impl<U: Unconflicted> Search<'_, U> {
    /// The forks in whose auth chain an event is. Depth first over citing events, newest first; each is visited once in the whole search.
    async fn forks_leading_to(&mut self, event: EventNumber) -> Result<Forks, StateError> {
        if let Some(forks) = self.reached.get(&event) {
            return Ok(*forks);
        }
        let mut path = vec![self.step(event).await?];
        while let Some(mut step) = path.pop() {
            if step.forks == self.all {
                // So it is for everything further down on the path.
                let done = path.iter().map(|step| step.event).chain([step.event]);
                self.reached.extend(done.map(|event| (event, self.all)));
                return Ok(self.all);
            }
            if let Some(citing) = step.page.pop() {
                let known = self.reached.get(&citing).copied();
                step.forks |= known.unwrap_or(0);
                path.push(step);
                if known.is_none() {
                    path.push(self.step(citing).await?);
                }
            } else if self.turn_page(&mut step).await? {
                path.push(step);
            } else {
                self.reached.insert(step.event, step.forks);
                match path.last_mut() {
                    Some(below) => below.forks |= step.forks,
                    None => return Ok(step.forks),
                }
            }
        }
        Ok(0)
    }

    /// Begins with an event: the states whose event of the same key follows on it lead to it.
    async fn step(&self, event: EventNumber) -> Result<Step, StateError> {
        let links = self.view.links_of(event).await?;
        let mut forks = 0;
        for held in self.unconflicted.at(&[links.key]).await?.into_iter().flatten() {
            if self.view.stands_before(event, links.length, held).await? {
                forks = self.all;
            }
        }
        for held in self.by_key.get(&links.key).into_iter().flatten() {
            if self.view.stands_before(event, links.length, *held).await? {
                forks |= self.forks_of.get(held).copied().unwrap_or(0);
            }
        }
        Ok(Step {
            event,
            auth_depth: links.auth_depth,
            forks,
            page: Vec::new(),
            page_size: FIRST_PAGE,
            oldest: None,
        })
    }

    /// Reads the next citing events, and takes in the forks that have them. Not for the last time, if it returns true.
    async fn turn_page(&mut self, step: &mut Step) -> Result<bool, StateError> {
        self.pages += 1;
        if self.pages.is_multiple_of(PAGES_BETWEEN_YIELDS) {
            tokio::task::yield_now().await;
        }
        let page = self.view.citing(step.event, step.oldest, step.page_size).await?;
        let Some(oldest) = page.last().copied() else { return Ok(false) };
        step.oldest = Some(oldest);
        step.page_size = (step.page_size * 4).min(LARGEST_PAGE);

        let links = self.view.links(&page).await?;
        // All stand higher, unless a row is damaged: without those, there is no way round in a circle.
        let higher = page.into_iter().zip(links).filter(|(_, links)| links.auth_depth > step.auth_depth);
        let (page, keys): (Vec<_>, Vec<_>) = higher.map(|(citing, links)| (citing, links.key)).unzip();
        for (citing, held) in page.iter().zip(self.unconflicted.at(&keys).await?) {
            let own = self.forks_of.get(citing).copied().unwrap_or(0);
            step.forks |= if held == Some(*citing) { self.all } else { own };
        }
        // Entered from the back, so the newest first.
        step.page = page.into_iter().rev().collect();
        Ok(true)
    }
}
