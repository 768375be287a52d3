//! The timeline of a room: a stretch of its live stream.
//!
//! Owns: which events of it are given, whether some before them are left out, the room's states around them. Does not own: the state that goes
//! with them ([`crate::state`]), what a user may see ([`RoomReader::sees`]), how far the stretch reaches ([`crate::frame`]).
//!
//! Invariants: it is walked from its end, a bounded number of rows however few of them are given. Paging back from `prev_batch` gives every event
//! that was left out. No state around it is newer than what the reader may look at.

use std::collections::BTreeSet;
use std::sync::Arc;

use plop_db::{Direction, KeyRange, Position};
use plop_rooms::reader::filter::EventFilter;
use plop_rooms::reader::token::HistoryToken;
use plop_rooms::schema::{BackwardExtremities, History, Timeline};
use plop_rooms::{HistoryPlace, RoomEvent, StoreFault};
use plop_state_store::EventNumber;
use plop_state_store::tree::Root;
use ruma::{OwnedUserId, UserId};

use crate::scene::{Scene, member};
use crate::tails::{Row, Tail};

/// Rows of a span that are looked at, wanted or not.
const MAX_EXAMINED: usize = 1_000;
/// Rows that are loaded at once, after the first ones.
const CHUNK: usize = 100;

/// How far the room is the reader's.
#[derive(Clone, Copy)]
pub enum Reach<'f> {
    /// The reader is in it at the end.
    Open,
    /// The reader left with the last event, and this state is what that left behind.
    Until(Root),
    /// The reader was not in it: the last event is told if it is about them, and no state is.
    Ending(&'f UserId),
}

/// What to give.
pub struct Wanted<'f> {
    pub reach: Reach<'f>,
    /// What came after it; without one, the newest that there is.
    pub after: Option<Position>,
    pub to: Position,
    pub limit: usize,
    /// `None`: no events are wanted, only the states.
    pub filter: Option<&'f EventFilter>,
    /// Users whose messages are not shown.
    pub ignored: &'f BTreeSet<OwnedUserId>,
}

impl Wanted<'_> {
    fn keeps(&self, event: &RoomEvent) -> bool {
        // State is the room's, whoever set it (client-server API, "Ignoring Users").
        let is_ignored = event.pdu.state_key().is_none() && self.ignored.contains(event.pdu.sender());
        let is_in_reach = match self.reach {
            Reach::Open | Reach::Until(_) => true,
            Reach::Ending(reader) => member(event) == Some(reader.as_str()),
        };
        !is_ignored && is_in_reach && self.filter.is_some_and(|filter| filter.keeps(&event.pdu))
    }
}

/// The room's current state at the ends of a timeline.
#[derive(Debug, Clone, Copy)]
pub struct States {
    /// At the position that the client has come to; empty without one.
    pub since: Root,
    /// Before the first event.
    pub start: Root,
    /// After the last one.
    pub end: Root,
}

impl States {
    const NONE: Self = Self { since: Root::EMPTY, start: Root::EMPTY, end: Root::EMPTY };
}

/// A timeline.
pub struct Stretch {
    /// Oldest first.
    pub events: Vec<Arc<RoomEvent>>,
    /// Where each of them stands in the live stream.
    pub positions: Vec<Position>,
    pub limited: bool,
    pub prev_batch: HistoryToken,
    pub states: States,
}

/// A row of the live stream with its event.
struct Arrival {
    row: Row,
    event: Arc<RoomEvent>,
}

/// Rows from newest to oldest: those of the tail first, then from the database.
struct Walk {
    rows: std::vec::IntoIter<Row>,
    /// What is below the rows of the tail.
    rest: Option<KeyRange<Timeline>>,
    chunk: usize,
    loaded: std::vec::IntoIter<Arrival>,
}

impl Walk {
    fn new(scene: &Scene<'_>, tail: &Tail, wanted: &Wanted<'_>) -> Self {
        let room = scene.number();
        let after = wanted.after;
        let is_after = |row: &&Row| after.is_none_or(|after| row.position > after);
        let rows: Vec<Row> = tail.rows_to(wanted.to).take_while(is_after).copied().collect();
        let start = tail.start().filter(|start| after.is_none_or(|after| *start > after));
        let rest = start.map(|start| {
            let rest = KeyRange::prefix(&room).to(&(room, wanted.to)).before(&(room, start));
            after.map_or(rest.clone(), |after| rest.after(&(room, after)))
        });
        // One more to see whether there are more, and the one before it for its state.
        let chunk = (wanted.limit + 2).min(CHUNK);
        Self { rows: rows.into_iter(), rest, chunk, loaded: Vec::new().into_iter() }
    }

    async fn next(&mut self, scene: &Scene<'_>) -> Result<Option<Arrival>, StoreFault> {
        if let Some(loaded) = self.loaded.next() {
            return Ok(Some(loaded));
        }
        let mut rows: Vec<Row> = self.rows.by_ref().take(self.chunk).collect();
        if rows.is_empty() {
            let Some(rest) = self.rest.take() else { return Ok(None) };
            let page = scene.snapshot.scan(rest.clone(), Direction::Backward, self.chunk).await?;
            if let Some((last, _)) = page.rows.last().filter(|_| page.more) {
                self.rest = Some(rest.before(last));
            }
            rows = page.rows.iter().map(|((_, position), row)| Row::new(*position, row)).collect();
        }
        self.chunk = CHUNK;
        self.loaded = arrivals(scene, &rows).await?.into_iter();
        Ok(self.loaded.next())
    }
}

async fn arrivals(scene: &Scene<'_>, rows: &[Row]) -> Result<Vec<Arrival>, StoreFault> {
    let numbers: Vec<EventNumber> = rows.iter().map(|row| row.event).collect();
    let events = scene.events(&numbers).await?;
    Ok(rows.iter().zip(events).map(|(row, event)| Arrival { row: *row, event }).collect())
}

/// What was walked over, newest first.
#[derive(Default)]
struct Walked {
    arrivals: Vec<Arrival>,
    /// Those that are given, by their places.
    given: Vec<usize>,
    /// Whether something before the given ones is left out.
    limited: bool,
}

impl Walked {
    fn first_given(&self) -> Option<&Arrival> {
        self.given.last().and_then(|place| self.arrivals.get(*place))
    }

    /// What came right before the first one that is given; before everything where nothing is.
    fn before_given(&self) -> Option<&Arrival> {
        self.arrivals.get(self.given.last().map_or(0, |place| place + 1))
    }
}

/// A timeline.
pub async fn stretch(scene: &mut Scene<'_>, tail: &Tail, wanted: &Wanted<'_>) -> Result<Stretch, StoreFault> {
    let mut walked = walk(scene, tail, wanted).await?;
    let since = match wanted.after {
        Some(after) => match tail.row_at(after) {
            Some(row) => Some(row),
            None => row_at(scene, after).await?,
        },
        None => None,
    };
    let gap = cut_at_gap(scene, &mut walked).await?;
    let is_ending = matches!(wanted.reach, Reach::Ending(_));
    if !walked.limited && wanted.after.is_none() && wanted.filter.is_some() && !is_ending {
        walked.limited = has_older(scene, walked.first_given()).await?;
    }
    let newest = walked.arrivals.first().map(|arrival| arrival.row).or(since);
    let before = walked.before_given().map(|arrival| arrival.row).or(since);
    let state = |row: Option<Row>| row.map_or(Root::EMPTY, |row| row.state);
    let around = |end| {
        let start = if walked.given.is_empty() { end } else { state(before) };
        States { since: state(since), start, end }
    };
    let states = match wanted.reach {
        Reach::Open => around(state(newest)),
        Reach::Until(left_behind) => around(left_behind),
        Reach::Ending(_) => States::NONE,
    };
    let prev_batch = match way_back(walked.first_given(), before, gap) {
        Some(place) => place,
        None => scene.reader.token_at(wanted.to).await?,
    };
    let given = || walked.given.iter().rev().filter_map(|place| walked.arrivals.get(*place));
    Ok(Stretch {
        events: given().map(|arrival| Arc::clone(&arrival.event)).collect(),
        positions: given().map(|arrival| arrival.row.position).collect(),
        limited: walked.limited,
        prev_batch,
        states,
    })
}

/// Walks back as far as events are wanted, and one further.
async fn walk(scene: &mut Scene<'_>, tail: &Tail, wanted: &Wanted<'_>) -> Result<Walked, StoreFault> {
    let mut walk = Walk::new(scene, tail, wanted);
    let mut walked = Walked::default();
    while let Some(arrival) = walk.next(scene).await? {
        let is_given = wanted.keeps(&arrival.event) && scene.reader.sees(&arrival.event).await?;
        let place = walked.arrivals.len();
        walked.arrivals.push(arrival);
        if wanted.filter.is_none() {
            break;
        }
        if place >= MAX_EXAMINED || is_given && walked.given.len() >= wanted.limit {
            walked.limited = true;
            break;
        }
        if is_given {
            walked.given.push(place);
        }
        if matches!(wanted.reach, Reach::Ending(_)) {
            break;
        }
    }
    Ok(walked)
}

/// Leaves out what came before a gap in history: the client closes it by paging back, which fetches what is missing. Returns where the gap is. A
/// room without other servers has none.
async fn cut_at_gap(scene: &Scene<'_>, walked: &mut Walked) -> Result<Option<HistoryPlace>, StoreFault> {
    let stands = |place: &usize| walked.arrivals.get(*place)?.event.facts.place;
    let places = walked.given.iter().filter_map(stands);
    let (Some(lowest), Some(highest)) = (places.clone().min(), places.max()) else { return Ok(None) };
    if scene.view.members.servers().nth(1).is_none() {
        return Ok(None);
    }
    let room = scene.number();
    let gaps = KeyRange::<BackwardExtremities>::prefix(&room).from(&(room, lowest)).to(&(room, highest));
    let gaps = scene.snapshot.scan(gaps, Direction::Backward, 1).await?;
    let Some(((_, gap), _)) = gaps.rows.first() else { return Ok(None) };
    // The event above the gap, and those that came after it.
    let last = walked.given.iter().rposition(|place| stands(place).is_some_and(|place| place >= *gap));
    walked.given.truncate(last.map_or(0, |last| last + 1));
    walked.limited = true;
    Ok(Some(*gap))
}

/// The room's state at a position; `None` before its first live event.
pub async fn state_at(scene: &Scene<'_>, position: Position) -> Result<Option<Root>, StoreFault> {
    Ok(row_at(scene, position).await?.map(|row| row.state))
}

/// The row that stood last at a position.
async fn row_at(scene: &Scene<'_>, position: Position) -> Result<Option<Row>, StoreFault> {
    let room = scene.number();
    let rows = KeyRange::<Timeline>::prefix(&room).to(&(room, position));
    let page = scene.snapshot.scan(rows, Direction::Backward, 1).await?;
    Ok(page.rows.first().map(|((_, position), row)| Row::new(*position, row)))
}

/// The place in history from which paging back finds everything that came before the first event of a timeline.
fn way_back(first: Option<&Arrival>, before: Option<Row>, gap: Option<HistoryPlace>) -> Option<HistoryToken> {
    let place = first.and_then(|arrival| arrival.event.facts.place);
    let below = place.map(|place| {
        // A page that begins right below a gap has met it before: this one is to meet it, and has the event above it once more.
        if gap == Some(place) { HistoryToken::above(place) } else { HistoryToken::below(place) }
    });
    below.max(before.map(|row| HistoryToken::below(row.top)))
}

/// Whether a room's history goes on below its first live event.
async fn has_older(scene: &Scene<'_>, first: Option<&Arrival>) -> Result<bool, StoreFault> {
    let Some(place) = first.and_then(|arrival| arrival.event.facts.place) else { return Ok(false) };
    let room = scene.number();
    let gaps = KeyRange::<BackwardExtremities>::prefix(&room).to(&(room, place));
    if !scene.snapshot.scan(gaps, Direction::Backward, 1).await?.rows.is_empty() {
        return Ok(true);
    }
    let older = KeyRange::<History>::prefix(&room).before(&(room, place));
    Ok(!scene.snapshot.scan(older, Direction::Backward, 1).await?.rows.is_empty())
}
