//! The conflicted state subgraph (rooms/v12, "State resolution", Definitions): the events on auth paths between conflicted events.
//!
//! It is what can be reached downwards from the conflicted events and upwards from them. Either side alone may be large (all that came
//! after an old power levels event, or the whole chain of a new one down to an old member event), so both are tried with a
//! budget that doubles until one of them is whole; the other condition then filters it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::index::Chains;
use super::view::View;
use crate::error::StateError;
use crate::keyspaces::AuthLinksRow;
use crate::numbers::{EventNumber, RoomNumber};

const FIRST_BUDGET: usize = 256;
const PAGE: usize = 256;

impl Chains {
    /// The conflicted events, and every event on an auth path between two of them.
    pub async fn conflicted_subgraph(
        &self,
        room: RoomNumber,
        conflicted: &BTreeSet<EventNumber>,
    ) -> Result<BTreeSet<EventNumber>, StateError> {
        let view = self.view(room);
        let events: Vec<_> = conflicted.iter().copied().collect();
        let ends: BTreeMap<_, _> = events.iter().copied().zip(view.links(&events).await?).collect();
        let mut budget = FIRST_BUDGET;
        loop {
            if let Some(below) = below(&view, &ends, budget).await? {
                return Ok(leading_back(&ends, &below));
            }
            if let Some(above) = above(&view, &ends, budget).await? {
                return Ok(leading_down(&ends, &above));
            }
            budget = budget.saturating_mul(2);
            tokio::task::yield_now().await;
        }
    }
}

type Graph = BTreeMap<EventNumber, Arc<AuthLinksRow>>;

/// The conflicted events and their auth chains, as far down as the lowest conflicted event: only above it an event can lead to one. Nothing
/// if that is more than the budget.
async fn below(view: &View, ends: &Graph, budget: usize) -> Result<Option<Graph>, StateError> {
    let lowest = ends.values().map(|links| links.auth_depth).min().unwrap_or(0);
    let mut found = ends.clone();
    let mut seen = BTreeSet::new();
    let mut edge: Vec<_> = ends.values().cloned().collect();
    while !edge.is_empty() {
        let auth: BTreeSet<_> = edge.iter().flat_map(|links| links.auth.iter().copied()).collect();
        let new: Vec<_> =
            auth.into_iter().filter(|event| !ends.contains_key(event) && seen.insert(*event)).collect();
        if seen.len() > budget {
            return Ok(None);
        }
        edge = Vec::new();
        for (event, links) in new.iter().zip(view.links(&new).await?) {
            if links.auth_depth > lowest {
                found.insert(*event, links.clone());
                edge.push(links);
            }
        }
    }
    Ok(Some(found))
}

/// Those of the events below that lead to a conflicted event.
fn leading_back(ends: &Graph, below: &Graph) -> BTreeSet<EventNumber> {
    let mut upwards: Vec<_> = below.iter().collect();
    upwards.sort_by_key(|(_, links)| links.auth_depth);
    let mut kept = BTreeSet::new();
    for (event, links) in upwards {
        if ends.contains_key(event) || links.auth.iter().any(|auth| kept.contains(auth)) {
            kept.insert(*event);
        }
    }
    kept
}

/// The conflicted events and what leads to them, as far up as the highest conflicted event. Nothing if it takes more reading than the budget.
async fn above(view: &View, ends: &Graph, budget: usize) -> Result<Option<Graph>, StateError> {
    let highest = ends.values().map(|links| links.auth_depth).max().unwrap_or(0);
    let mut found = ends.clone();
    let mut edge: Vec<_> = ends.keys().copied().collect();
    let mut read = 0;
    while let Some(event) = edge.pop() {
        let mut oldest = None;
        loop {
            let page = view.citing(event, oldest, PAGE).await?;
            read += page.len() + 1;
            if read > budget {
                return Ok(None);
            }
            let Some(last) = page.last().copied() else { break };
            oldest = Some(last);
            for (citing, links) in page.iter().zip(view.links(&page).await?) {
                if links.auth_depth < highest && !found.contains_key(citing) {
                    found.insert(*citing, links);
                    edge.push(*citing);
                }
            }
        }
    }
    Ok(Some(found))
}

/// Those of the events above that a conflicted event leads to.
fn leading_down(ends: &Graph, above: &Graph) -> BTreeSet<EventNumber> {
    let mut kept: BTreeSet<_> = ends.keys().copied().collect();
    let mut edge: Vec<_> = ends.values().collect();
    while let Some(links) = edge.pop() {
        for auth in &links.auth {
            if let Some(links) = above.get(auth)
                && kept.insert(*auth)
            {
                edge.push(links);
            }
        }
    }
    kept
}
