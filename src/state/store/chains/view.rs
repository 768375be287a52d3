//! A consistent look at the auth graph of one room: what is on disk, and what batches in flight add to it.

use std::sync::Arc;

use imbl::OrdMap;
use plop_db::{Direction, KeyRange, Snapshot};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::error::StateError;
use crate::keyspaces::{AuthCitations, AuthLinks, AuthLinksRow};
use crate::numbers::{EventNumber, RoomNumber};

/// Rows that batches in flight add, each with the number of the addition that holds it. Persistent maps, so that a view is a
/// cheap copy.
#[derive(Clone, Default)]
pub(super) struct Overlay {
    pub links: OrdMap<(RoomNumber, EventNumber), (u64, Arc<AuthLinksRow>)>,
    pub citations: OrdMap<(RoomNumber, EventNumber, EventNumber), u64>,
}

/// Rows that were read from disk. Never rows in flight: the number of an event whose batch is refused is given to another event.
pub(super) type LinksCache = Cache<(RoomNumber, EventNumber), Arc<AuthLinksRow>, ByMemory>;

#[derive(Clone)]
pub(super) struct ByMemory;

impl Weighter<(RoomNumber, EventNumber), Arc<AuthLinksRow>> for ByMemory {
    fn weight(&self, _: &(RoomNumber, EventNumber), links: &Arc<AuthLinksRow>) -> u64 {
        // The allocation with its counts, the list behind it, the allocator's overhead.
        (size_of::<AuthLinksRow>() + size_of_val(links.auth.as_slice()) + 48) as u64
    }
}

/// The auth graph of one room.
pub(super) struct View {
    room: RoomNumber,
    overlay: Overlay,
    /// Taken after the overlay, so that nothing falls between the two: what left the overlay before is in it.
    snapshot: Snapshot,
    cache: Arc<LinksCache>,
}

impl View {
    pub(super) fn new(
        room: RoomNumber,
        overlay: Overlay,
        snapshot: Snapshot,
        cache: Arc<LinksCache>,
    ) -> View {
        View { room, overlay, snapshot, cache }
    }

    /// The auth events of events that must be in the index.
    pub(super) async fn links(&self, events: &[EventNumber]) -> Result<Vec<Arc<AuthLinksRow>>, StateError> {
        let mut links: Vec<_> = events.iter().map(|event| self.in_memory(*event)).collect();
        let absent: Vec<_> =
            events.iter().zip(&links).filter(|(_, links)| links.is_none()).map(|(event, _)| *event).collect();
        if !absent.is_empty() {
            let keys: Vec<_> = absent.iter().map(|event| (self.room, *event)).collect();
            let rows = self.snapshot.get_many::<AuthLinks>(&keys).await?;
            let mut loaded = keys.into_iter().zip(rows);
            for links in links.iter_mut().filter(|links| links.is_none()) {
                // One row for each gap, in the same order.
                if let Some((key, Some(row))) = loaded.next() {
                    let row = Arc::new(row);
                    self.cache.insert(key, row.clone());
                    *links = Some(row);
                }
            }
        }
        let known = |(event, links): (&EventNumber, Option<_>)| {
            links.ok_or(StateError::Incomplete { room: self.room, event: *event })
        };
        events.iter().zip(links).map(known).collect()
    }

    pub(super) async fn links_of(&self, event: EventNumber) -> Result<Arc<AuthLinksRow>, StateError> {
        let links = self.links(&[event]).await?.pop();
        links.ok_or(StateError::Incomplete { room: self.room, event })
    }

    /// Where the event after `earlier` (of the same key, citing it) jumps to: two equal jumps that lie one behind the other become
    /// one, so that jumps grow like the digits of a skew binary number.
    pub(super) async fn jump_over(
        &self,
        earlier: EventNumber,
        links: &AuthLinksRow,
    ) -> Result<EventNumber, StateError> {
        let Some(first) = links.jump else { return Ok(earlier) };
        let first_links = self.links_of(first).await?;
        let Some(second) = first_links.jump else { return Ok(earlier) };
        let second_length = self.links_of(second).await?.length;
        let first_jump = links.length.saturating_sub(first_links.length);
        let second_jump = first_links.length.saturating_sub(second_length);
        Ok(if first_jump == second_jump { second } else { earlier })
    }

    /// Whether an event (with these links) is one of those of the same key that stand before a later one, each citing the one before.
    pub(super) async fn stands_before(
        &self,
        event: EventNumber,
        length: u64,
        later: EventNumber,
    ) -> Result<bool, StateError> {
        let (mut at, mut links) = (later, self.links_of(later).await?);
        if links.length <= length {
            return Ok(false);
        }
        while links.length > length {
            let (Some(earlier), Some(jump)) = (links.earlier, links.jump) else { return Ok(false) };
            let jumped = self.links_of(jump).await?;
            let (next, next_links) = match jumped.length >= length {
                true => (jump, jumped),
                false => (earlier, self.links_of(earlier).await?),
            };
            // Lengths fall from step to step, unless a row is damaged: then this ends all the same.
            if next_links.length >= links.length {
                return Ok(false);
            }
            (at, links) = (next, next_links);
        }
        Ok(at == event)
    }

    fn in_memory(&self, event: EventNumber) -> Option<Arc<AuthLinksRow>> {
        let in_flight = self.overlay.links.get(&(self.room, event)).map(|(_, links)| links.clone());
        in_flight.or_else(|| self.cache.get(&(self.room, event)))
    }

    /// Events that cite an event, the newest (by number) first, at most `limit` of those before another one. An empty answer is the
    /// end.
    pub(super) async fn citing(
        &self,
        event: EventNumber,
        before: Option<EventNumber>,
        limit: usize,
    ) -> Result<Vec<EventNumber>, StateError> {
        let mut range = KeyRange::<AuthCitations>::prefix(&(self.room, event));
        if let Some(before) = before {
            range = range.before(&(self.room, event, before));
        }
        let page = self.snapshot.scan(range, Direction::Backward, limit).await?;
        let mut citing: Vec<_> = page.rows.into_iter().map(|((_, _, citing), ())| citing).collect();

        let first = (self.room, event, EventNumber(0));
        let end = (self.room, event, before.unwrap_or(EventNumber(u64::MAX)));
        let in_flight = self.overlay.citations.range(first..end).rev();
        let in_flight = in_flight.filter(|((_, _, citing), addition)| self.is_of(*citing, **addition));
        citing.extend(in_flight.map(|((_, _, citing), _)| *citing).take(limit));
        citing.sort_unstable_by(|a, b| b.cmp(a));
        citing.dedup();
        citing.truncate(limit);
        Ok(citing)
    }

    /// Whether an event in flight is still the one that a row of an addition was about.
    fn is_of(&self, event: EventNumber, addition: u64) -> bool {
        self.overlay.links.get(&(self.room, event)).is_some_and(|(holder, _)| *holder == addition)
    }
}
