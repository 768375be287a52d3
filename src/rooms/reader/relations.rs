//! The children of an event (client-server API, `GET /rooms/{roomId}/relations/{eventId}`).
//!
//! Owns: pages of them, with those of their children. Does not own: the rows, what is aggregated of them ([`super::aggregation`]).
//!
//! Invariants: a page looks at a bounded number of rows, however many of them are left out, and says where to go on; pages that follow each other give every
//! child in reach once, in graph order, and their tokens are those of the room's history. The children of ignored users are left out, but for state.
//! With recursion an event is given while every event between is what was asked for and not redacted.

use std::sync::Arc;

use plop_db::{Direction, KeyRange};
use plop_state::relation::Relation;
use plop_state_store::EventNumber;
use ruma::{EventId, OwnedEventId};

use super::access::{ReadRefusal, RoomReader};
use super::history::{PageRequest, PageSpace, Walk};
use super::token::HistoryToken;
use crate::event::RoomEvent;
use crate::fault::StoreFault;
use crate::history_place::HistoryPlace;
use crate::schema::{IndirectRelations, Outcome, Relations};

/// Children of a page at most, whatever was asked for.
const MAX_CHILDREN: usize = 500;
/// Rows that a page looks at.
const MAX_EXAMINED: usize = 2_000;
/// Rows that are read at once.
const CHUNK: usize = 200;

/// Which children to read.
#[derive(Debug, Clone, Copy)]
pub struct RelationsRequest<'r> {
    pub parent: &'r EventId,
    /// Those that relate to it in this way, where one is given.
    pub rel_type: Option<&'r str>,
    /// Those of this type, likewise.
    pub kind: Option<&'r str>,
    /// Children of children too, up to [`MAX_RELATION_DEPTH`](crate::MAX_RELATION_DEPTH) relations.
    pub recurse: bool,
    pub page: PageRequest,
}

/// A page of children.
#[derive(Debug, Clone)]
pub struct RelationsPage {
    /// In the order of the direction.
    pub events: Vec<Arc<RoomEvent>>,
    /// Where to go on; `None`: there are no more.
    pub next: Option<HistoryToken>,
}

/// A row, of either kind.
struct Found {
    place: HistoryPlace,
    event: EventNumber,
    through: Vec<EventNumber>,
}

impl RelationsRequest<'_> {
    /// Whether an event with a relation is what was asked for.
    fn wants(&self, event: &RoomEvent) -> bool {
        let is_kind = self.kind.is_none_or(|kind| event.pdu.type_name() == kind);
        let is_type =
            |rel_type: &str| Relation::of(&event.pdu).is_some_and(|relation| relation.rel_type == rel_type);
        event.facts.outcome == Outcome::Accepted
            && event.facts.redacted_by.is_none()
            && is_kind
            && self.rel_type.is_none_or(is_type)
    }
}

impl RoomReader<'_> {
    /// A page of the children of an event that the reader may see.
    ///
    /// # Errors
    /// [`ReadRefusal::NoSuchEvent`].
    pub async fn relations(&mut self, request: &RelationsRequest<'_>) -> Result<RelationsPage, ReadRefusal> {
        let parent = self.event(request.parent).await?.pdu.event_id_owned().clone();
        let mut space = PageSpace::of(request.page.limit, MAX_CHILDREN);
        let mut walk = self.walk(&request.page).await?;
        let (mut events, mut examined) = (Vec::new(), 0);
        while space.is_left() && examined < MAX_EXAMINED {
            let (rows, more) = self.related_rows(&parent, request, &walk).await?;
            examined += rows.len();
            let is_over =
                self.take_wanted(request, rows, &mut walk, (&mut events, &mut space)).await? && !more;
            if is_over {
                return Ok(RelationsPage { events, next: None });
            }
        }
        Ok(RelationsPage { events, next: Some(walk.place()) })
    }

    /// The next rows of both kinds in the order of the direction, and whether there are more.
    async fn related_rows(
        &self,
        parent: &OwnedEventId,
        request: &RelationsRequest<'_>,
        walk: &Walk,
    ) -> Result<(Vec<Found>, bool), StoreFault> {
        let room = self.view.number;
        let (start, end) = (walk.range.start, walk.range.end);
        let rel_type = request.rel_type.map(ToOwned::to_owned);
        let bound = |place| (room, parent.clone(), rel_type.clone(), place);
        let range = KeyRange::<Relations>::prefix(&(room, parent.clone(), rel_type.clone()));
        let range = range.from(&bound(start)).before(&bound(end));
        let direct = self.snapshot.scan(range, walk.direction, CHUNK).await?;
        let mut more = direct.more;
        // Up to where each kind has been read.
        let mut reached = direct.rows.last().filter(|_| direct.more).map(|((.., place), _)| *place);
        let found = direct.rows.into_iter();
        let found = found.map(|((.., place), row)| Found { place, event: row.event, through: Vec::new() });
        let mut rows: Vec<Found> = found.collect();
        if request.recurse {
            let bound = |place| (room, parent.clone(), place);
            let range = KeyRange::<IndirectRelations>::prefix(&(room, parent.clone()));
            let range = range.from(&bound(start)).before(&bound(end));
            let indirect = self.snapshot.scan(range, walk.direction, CHUNK).await?;
            more |= indirect.more;
            let last = indirect.rows.last().filter(|_| indirect.more).map(|((.., place), _)| *place);
            reached = match (reached, last, walk.direction) {
                (Some(a), Some(b), Direction::Forward) => Some(a.min(b)),
                (Some(a), Some(b), Direction::Backward) => Some(a.max(b)),
                (reached, last, _) => reached.or(last),
            };
            let found = indirect.rows.into_iter();
            rows.extend(found.map(|((.., place), row)| Found {
                place,
                event: row.event,
                through: row.through,
            }));
        }
        rows.sort_by_key(|row| row.place);
        rows.dedup_by_key(|row| row.place);
        match walk.direction {
            Direction::Forward => rows.retain(|row| reached.is_none_or(|reached| row.place <= reached)),
            Direction::Backward => {
                rows.retain(|row| reached.is_none_or(|reached| row.place >= reached));
                rows.reverse();
            }
        }
        Ok((rows, more))
    }

    /// Takes those that are wanted until there are enough. Whether all were looked at.
    async fn take_wanted(
        &mut self,
        request: &RelationsRequest<'_>,
        rows: Vec<Found>,
        walk: &mut Walk,
        (events, space): (&mut Vec<Arc<RoomEvent>>, &mut PageSpace),
    ) -> Result<bool, StoreFault> {
        let ignored = self.ignored().await?;
        let numbers = rows.iter().flat_map(|row| row.through.iter().chain([&row.event])).copied();
        let numbers: Vec<EventNumber> = numbers.collect();
        let mut loaded = self.events_by_number(&numbers).await?.into_iter();
        for row in rows {
            if !space.is_left() {
                return Ok(false);
            }
            walk.pass(row.place);
            let between: Vec<_> = loaded.by_ref().take(row.through.len()).collect();
            let Some(event) = loaded.next() else { return Ok(true) };
            let is_ignored = event.pdu.state_key().is_none() && ignored.contains(event.pdu.sender());
            let is_wanted = between.iter().chain([&event]).all(|event| request.wants(event));
            if is_wanted && !is_ignored && self.sees(&event).await? {
                space.take(event.pdu.canonical().len());
                events.push(event);
            }
        }
        Ok(true)
    }
}
