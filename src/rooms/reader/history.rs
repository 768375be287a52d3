//! History pages (client-server API, `GET /rooms/{roomId}/messages`).
//!
//! Owns: walking a room in graph order, both ways; the places that sync positions and events have in it. Does not own: which events are
//! seen ([`super::visibility`]), fetching what is missing.
//!
//! Invariants: a page examines a bounded number of events, however many of them cannot be seen, and says where to go on. Pages that
//! follow each other give every event in reach once, in order. No page crosses a gap: what is missing there can be fetched first.

use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use plop_db::{Direction, KeyRange, Position};
use plop_state_store::EventNumber;
use ruma::OwnedEventId;

use super::access::{ReadRefusal, RoomReader, Standing};
use super::token::HistoryToken;
use crate::event::RoomEvent;
use crate::fault::StoreFault;
use crate::history_place::HistoryPlace;
use crate::schema::{BackwardExtremities, History, Timeline};

/// Events of a page at most, whatever was asked for.
pub const MAX_PAGE_EVENTS: usize = 1000;

/// Bytes of a page: an event above it is its last. Other text that is told with the events is a small multiple of theirs.
pub const MAX_PAGE_BYTES: usize = 2 << 20;

/// Events that one page looks at, seen or not.
const MAX_EXAMINED: usize = 2000;

/// Events that are loaded at once, at least and at most.
const CHUNK: RangeInclusive<usize> = 20..=200;

/// Which events of a room to read.
#[derive(Debug, Clone, Copy)]
pub struct PageRequest {
    /// Where to begin; without it at the end of the room's history that the direction leads away from.
    pub from: Option<HistoryToken>,
    /// Where to stop.
    pub to: Option<HistoryToken>,
    /// Backward: newest first.
    pub direction: Direction,
    /// Cut to [`MAX_PAGE_EVENTS`], and to what [`MAX_PAGE_BYTES`] holds.
    pub limit: u64,
}

/// A part of the history.
#[derive(Debug, Clone)]
pub struct HistoryPage {
    /// Where it begins.
    pub start: HistoryToken,
    /// Where it ends.
    pub reached: HistoryToken,
    /// Whether there may be further events beyond [`HistoryPage::reached`], or there were some beyond the last one here, which the caller did not want: the
    /// page does not end where the history does.
    pub more: bool,
    /// In the order of the direction; those that the user may see and the caller wants.
    pub events: Vec<Arc<RoomEvent>>,
    /// Events that are missing where the page ends: it ends there because of them. The next page goes on behind the gap.
    pub missing: Vec<OwnedEventId>,
}

impl HistoryPage {
    /// The token to go on with, if that makes sense.
    pub fn end(&self) -> Option<HistoryToken> {
        self.more.then_some(self.reached)
    }
}

/// The place that is left on a page.
pub(super) struct PageSpace {
    pub events: usize,
    bytes: usize,
}

impl PageSpace {
    /// For as many events as asked for, at most `most`.
    pub fn of(limit: u64, most: usize) -> Self {
        Self { events: usize::try_from(limit).unwrap_or(usize::MAX).min(most), bytes: MAX_PAGE_BYTES }
    }

    pub fn is_left(&self) -> bool {
        self.events > 0 && self.bytes > 0
    }

    /// Takes the place of a text.
    pub fn take(&mut self, bytes: usize) {
        self.events = self.events.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

/// What is left of the history to look at.
pub(super) struct Walk {
    pub range: Range<HistoryPlace>,
    pub direction: Direction,
}

impl Walk {
    fn rows(&self, reader: &RoomReader<'_>) -> KeyRange<History> {
        let room = reader.view.number;
        KeyRange::prefix(&room).from(&(room, self.range.start)).before(&(room, self.range.end))
    }

    /// Goes on behind an event.
    pub fn pass(&mut self, place: HistoryPlace) {
        match self.direction {
            Direction::Forward => self.range.start = place.above(),
            Direction::Backward => self.range.end = place,
        }
    }

    /// The place that is reached.
    pub fn place(&self) -> HistoryToken {
        HistoryToken::below(match self.direction {
            Direction::Forward => self.range.start,
            Direction::Backward => self.range.end,
        })
    }

    /// The place where it ends.
    fn end(&self) -> HistoryToken {
        HistoryToken::below(match self.direction {
            Direction::Forward => self.range.end,
            Direction::Backward => self.range.start,
        })
    }
}

impl RoomReader<'_> {
    /// A page of history: the events that this user may see and that `wanted` keeps.
    ///
    /// # Errors
    /// [`ReadRefusal::NotInRoom`] for one who has no access to the room.
    pub async fn history(
        &mut self,
        request: PageRequest,
        wanted: impl Fn(&RoomEvent) -> bool,
    ) -> Result<HistoryPage, ReadRefusal> {
        self.admitted()?;
        Ok(self.page(request, wanted).await?)
    }

    /// [`RoomReader::history`] for one who has access.
    pub(super) async fn page(
        &mut self,
        request: PageRequest,
        wanted: impl Fn(&RoomEvent) -> bool,
    ) -> Result<HistoryPage, StoreFault> {
        let mut space = PageSpace::of(request.limit, MAX_PAGE_EVENTS);
        let mut walk = self.walk(&request).await?;
        let missing = self.stop_at_gap(&mut walk).await?;
        let mut page = HistoryPage {
            start: walk.place(),
            reached: walk.place(),
            more: true,
            events: Vec::new(),
            missing: Vec::new(),
        };
        let (mut examined, mut left_out) = (0, false);
        while space.is_left() && examined < MAX_EXAMINED {
            // Most events are seen; where few are, the last ones wanted are not looked for one by one.
            let chunk = space.events.clamp(*CHUNK.start(), *CHUNK.end());
            let rows = self.snapshot.scan(walk.rows(self), walk.direction, chunk).await?;
            let numbers: Vec<EventNumber> = rows.rows.iter().map(|(_, number)| *number).collect();
            let events = self.events_by_number(&numbers).await?;
            examined += events.len();
            let mut rest = rows.rows.len();
            for (((_, at), _), event) in rows.rows.into_iter().zip(events) {
                if !space.is_left() {
                    break;
                }
                rest -= 1;
                walk.pass(at);
                if !wanted(&event) {
                    left_out = true;
                } else if self.sees(&event).await? {
                    space.take(event.pdu.canonical().len());
                    page.events.push(event);
                    left_out = false;
                }
            }
            if rest == 0 && !rows.more {
                // Everything up to the gap, if there is one; the next page begins behind it.
                page.reached = if missing.is_some() { walk.end() } else { walk.place() };
                page.more = missing.is_some() || left_out && !page.events.is_empty();
                page.missing = missing.unwrap_or_default();
                return Ok(page);
            }
        }
        page.reached = walk.place();
        Ok(page)
    }

    /// The part of the history that a request is about.
    pub(super) async fn walk(&self, request: &PageRequest) -> Result<Walk, StoreFault> {
        let end = self.top().await?;
        let asked = request.from.map(HistoryToken::place);
        let until = request.to.map(HistoryToken::place);
        let direction = request.direction;
        let range = match direction {
            Direction::Backward => {
                until.unwrap_or(HistoryPlace::LOWEST)..asked.map_or(end, |from| from.min(end))
            }
            Direction::Forward => {
                let start = match asked {
                    Some(start) => start,
                    None => self.bottom().await?,
                };
                start.min(end)..until.map_or(end, |to| to.min(end))
            }
        };
        Ok(Walk { range, direction })
    }

    /// Shortens a walk to the nearest gap on its way. Returns what is missing there.
    async fn stop_at_gap(&self, walk: &mut Walk) -> Result<Option<Vec<OwnedEventId>>, StoreFault> {
        let room = self.view.number;
        // A gap is right below the event that stands at its place. One where the walk begins has been met before.
        let between = KeyRange::<BackwardExtremities>::prefix(&room)
            .after(&(room, walk.range.start))
            .before(&(room, walk.range.end));
        let found = self.snapshot.scan(between, walk.direction, 1).await?;
        let Some(((_, place), gap)) = found.rows.into_iter().next() else { return Ok(None) };
        match walk.direction {
            Direction::Backward => walk.range.start = place,
            Direction::Forward => walk.range.end = place,
        }
        Ok(Some(gap.missing))
    }

    /// The place above all events in reach. One who left is not led beyond that, unless everyone may read on; and nobody beyond the
    /// picture that says who is in the room, even if the snapshot is newer.
    pub(super) async fn top(&self) -> Result<HistoryPlace, StoreFault> {
        match self.standing() {
            Standing::Departed { at, .. } if !self.is_open_to_all() => Ok(at.above()),
            Standing::Joined | Standing::Departed { .. } | Standing::Stranger => {
                Ok(self.token_at(self.view.position).await?.place())
            }
        }
    }

    /// The place below all events.
    async fn bottom(&self) -> Result<HistoryPlace, StoreFault> {
        let rows = KeyRange::<History>::prefix(&self.view.number);
        let oldest = self.snapshot.scan(rows, Direction::Forward, 1).await?;
        Ok(oldest.rows.first().map_or(HistoryPlace::FIRST, |((_, place), _)| *place))
    }

    /// Where a position of the live stream is in graph order: right above every live event up to it. A position from the future is
    /// as good as now.
    pub async fn token_at(&self, position: Position) -> Result<HistoryToken, StoreFault> {
        let room = self.view.number;
        let position = position.min(self.snapshot.position());
        let rows = KeyRange::<Timeline>::prefix(&room).to(&(room, position));
        let last = self.snapshot.scan(rows, Direction::Backward, 1).await?;
        if let Some((_, row)) = last.rows.first() {
            return Ok(HistoryToken::below(row.top));
        }
        // Before the first live event; what may be below it came later.
        Ok(HistoryToken::below(self.bottom().await?))
    }
}
