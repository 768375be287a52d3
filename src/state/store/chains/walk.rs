//! Whole auth chains, in pages (server-server API, "send_join": the auth chain of a state).

use std::collections::BTreeSet;

use super::index::Chains;
use crate::error::StateError;
use crate::numbers::{EventNumber, RoomNumber};

/// Events whose auth events are met together.
const STEP: usize = 256;

/// The full auth chain of some events, being walked. Holds the numbers of the events met so far, nothing of the database.
pub struct ChainWalk {
    chains: Chains,
    room: RoomNumber,
    /// Events whose auth events are still to be met.
    edge: Vec<EventNumber>,
    seen: BTreeSet<EventNumber>,
}

impl Chains {
    /// Walks the union of the auth chains of some events. The events themselves are in it only if they are in each other's chains.
    pub fn walk(&self, room: RoomNumber) -> ChainWalk {
        ChainWalk { chains: self.clone(), room, edge: Vec::new(), seen: BTreeSet::new() }
    }

    /// The events of the same key that stand before an event, each citing the one before, newest first, at most `limit`: the
    /// power levels that led to these, say.
    pub async fn line(
        &self,
        room: RoomNumber,
        event: EventNumber,
        limit: usize,
    ) -> Result<Vec<EventNumber>, StateError> {
        let view = self.view(room);
        let mut line = Vec::new();
        let mut earlier = view.links_of(event).await?.earlier;
        while let Some(event) = earlier.filter(|_| line.len() < limit) {
            line.push(event);
            earlier = view.links_of(event).await?.earlier;
        }
        Ok(line)
    }
}

impl ChainWalk {
    /// Adds events to start from, at any time: the pages of a state, say.
    pub fn start_from(&mut self, events: &[EventNumber]) {
        self.edge.extend_from_slice(events);
    }

    /// Further events of the chain, in no particular order: as long as there are some, `limit` or more, by at most what the events of one step cite.
    /// An empty page: nothing more behind the events so far.
    pub async fn next_page(&mut self, limit: usize) -> Result<Vec<EventNumber>, StateError> {
        let view = self.chains.view(self.room);
        let mut page = Vec::new();
        while page.len() < limit && !self.edge.is_empty() {
            let step = self.edge.split_off(self.edge.len().saturating_sub(STEP));
            for links in view.links(&step).await? {
                let new: Vec<_> =
                    links.auth.iter().copied().filter(|event| self.seen.insert(*event)).collect();
                page.extend_from_slice(&new);
                self.edge.extend(new);
            }
            tokio::task::yield_now().await;
        }
        Ok(page)
    }
}
