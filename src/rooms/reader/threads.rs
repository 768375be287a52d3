//! The threads of a room (client-server API, `GET /rooms/{roomId}/threads`).
//!
//! Owns: pages of them, in the order of their latest events. Does not own: what is told of a thread ([`super::aggregation`]).
//!
//! Invariants: a page looks at a bounded number of threads, however many of them are left out, and says where to go on. A thread is given where the reader
//! may see its root and an event of it; one in which something is sent meanwhile moves to the top, and is not met again further down.

use std::collections::BTreeMap;
use std::sync::Arc;

use plop_db::{Direction, KeyRange};
use plop_state::pdu::ClientFormat;
use plop_state_store::EventNumber;
use ruma::OwnedEventId;

use super::access::{ReadRefusal, RoomReader};
use super::history::PageSpace;
use super::token::HistoryToken;
use crate::event::RoomEvent;
use crate::fault::StoreFault;
use crate::schema::ThreadsByLatest;

/// Threads of a page at most, whatever was asked for.
const MAX_THREADS: usize = 100;
/// Threads that a page looks at.
const MAX_EXAMINED: usize = 500;
/// Threads that are read at once.
const CHUNK: usize = 50;

/// Which threads are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IncludeThreads {
    All,
    /// Those that the reader began or sent to.
    Participated,
}

/// A page of threads.
#[derive(Debug, Clone)]
pub struct ThreadsPage {
    /// Their roots, as clients get them.
    pub roots: Vec<String>,
    /// Where to go on; `None`: there are no more.
    pub next: Option<HistoryToken>,
}

impl RoomReader<'_> {
    /// A page of threads, those with the latest events first.
    ///
    /// # Errors
    /// [`ReadRefusal::NotInRoom`].
    pub async fn threads(
        &mut self,
        include: IncludeThreads,
        from: Option<HistoryToken>,
        limit: u64,
    ) -> Result<ThreadsPage, ReadRefusal> {
        self.admitted()?;
        let mut space = PageSpace::of(limit, MAX_THREADS);
        let room = self.view.number;
        let mut rest = KeyRange::<ThreadsByLatest>::prefix(&room);
        let mut reached = from;
        let (mut roots, mut examined) = (Vec::new(), 0);
        while space.is_left() && examined < MAX_EXAMINED {
            if let Some(reached) = reached {
                rest = rest.before(&(room, reached.place()));
            }
            let page = self.snapshot.scan(rest.clone(), Direction::Backward, CHUNK.min(space.events)).await?;
            examined += page.rows.len();
            let (places, ids): (Vec<_>, Vec<_>) =
                page.rows.into_iter().map(|((_, place), root)| (place, root)).unzip();
            let shown = self.shown(&ids, include).await?;
            let mut is_over = !page.more;
            for (place, root) in places.into_iter().zip(shown) {
                if !space.is_left() {
                    is_over = false;
                    break;
                }
                reached = Some(HistoryToken::below(place));
                if let Some(root) = root {
                    space.take(root.len());
                    roots.push(root);
                }
            }
            if is_over {
                return Ok(ThreadsPage { roots, next: None });
            }
        }
        Ok(ThreadsPage { roots, next: reached })
    }

    /// The roots of some threads as they are to be shown, each if it is.
    async fn shown(
        &mut self,
        roots: &[OwnedEventId],
        include: IncludeThreads,
    ) -> Result<Vec<Option<String>>, StoreFault> {
        let numbers = self.core.events.numbers(&self.snapshot, self.view.number, roots).await?;
        let here: Vec<EventNumber> = numbers.iter().flatten().copied().collect();
        let ignored = self.ignored().await?;
        let mut seen = Vec::new();
        for root in self.events_by_number(&here).await? {
            if !self.sees(&root).await? {
                continue;
            }
            if ignored.contains(root.pdu.sender()) {
                // "If the thread root event was sent by an ignored user, the event is returned redacted to the caller."
                let pdu = root.pdu.redacted(self.view.rules);
                seen.push(Arc::new(RoomEvent { pdu, ..RoomEvent::clone(&root) }));
            } else {
                seen.push(root);
            }
        }
        let bundles = self.bundles(&seen, ClientFormat::Full).await?;
        let participated =
            |root: &RoomEvent| bundles.get(&root.number).and_then(|bundle| bundle.participated);
        seen.retain(|root| match include {
            IncludeThreads::All => participated(root).is_some(),
            IncludeThreads::Participated => participated(root) == Some(true),
        });
        let texts = self.texts(&seen, ClientFormat::Full, &bundles).await?;
        let mut texts: BTreeMap<EventNumber, String> =
            seen.iter().map(|root| root.number).zip(texts).collect();
        Ok(numbers.into_iter().map(|number| texts.remove(&number?)).collect())
    }
}
