//! Counts by asking a user's own rules about each unread event.
//!
//! Owns: the evaluation, and what of it is remembered ([`Settled`]). Does not own: where that is kept.
//!
//! Invariants: what is remembered is what an evaluation would find again, so it may be lost at any time. An event is asked about once as long
//! as it is remembered; a call asks about at most [`MAX_EVALUATED`], the newest, and unread events before those do not count.

use std::sync::Arc;

use plop_accounts::thread_subscriptions::are_subscribed;
use plop_db::{Direction, KeyRange, Position, ReadError};
use plop_rooms::schema::{Timeline, TimelineRow};
use plop_rooms::{RoomEvent, Rooms, StoreFault};
use plop_state::push::{PushEvent, Reader, evaluate};
use plop_state_store::EventNumber;
use ruma::OwnedEventId;
use ruma::push::Action;

use crate::counts::{Counts, RoomCounts};
use crate::question::Question;
use crate::redacted;
use crate::setting::Setting;
use crate::user_rules::{UserRules, Version};

/// Most events of a room that one call asks a user's rules about.
pub const MAX_EVALUATED: usize = 2_000;

/// Unread events of a room that are remembered for a user, the newest.
const MAX_HITS: usize = 2 * MAX_EVALUATED;

/// Events read at once.
const CHUNK: usize = 200;

/// What a user's rules have said about the unread events of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Of the rules that were asked.
    version: Version,
    /// Up to where events have been asked about.
    through: Position,
    /// Those that notify, oldest first. Some may have been read since.
    hits: Vec<Hit>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Hit {
    position: Position,
    event: EventNumber,
    thread: Option<OwnedEventId>,
    highlight: bool,
}

/// What a user's rules say about an event.
#[derive(Debug, Clone)]
pub struct Judged {
    pub position: Position,
    pub event: Arc<RoomEvent>,
    pub thread: Option<OwnedEventId>,
    pub notify: bool,
    pub highlight: bool,
    pub actions: Vec<Action>,
}

impl Settled {
    /// Bytes in memory, roughly.
    pub fn weight(&self) -> u64 {
        const ENTRY: usize = 256;
        let thread = |hit: &Hit| hit.thread.as_ref().map_or(0, |root| root.as_str().len());
        let hits: usize = self.hits.iter().map(|hit| size_of::<Hit>() + thread(hit)).sum();
        (ENTRY + hits) as u64
    }

    /// What is unread of the events up to where the question goes.
    pub fn counts(&self, up_to: Position) -> RoomCounts {
        let mut counts = RoomCounts::default();
        for hit in self.hits.iter().filter(|hit| hit.position <= up_to) {
            *counts.part(hit.thread.as_ref()) +=
                Counts { notification_count: 1, highlight_count: u64::from(hit.highlight) };
        }
        counts
    }
}

/// Asks the rules about what came since they were asked last, and forgets what has been read or redacted.
pub async fn settle(
    rooms: &Rooms,
    question: &Question<'_>,
    rules: &UserRules,
    known: Option<Arc<Settled>>,
) -> Result<Arc<Settled>, StoreFault> {
    let known = known.filter(|known| known.version == rules.version);
    let unread_from = unread_from(question).await?;
    let from = known.as_ref().map_or(unread_from, |known| known.through.max(unread_from));
    let fresh = if from < question.up_to { ask(rooms, question, rules, from).await? } else { Vec::new() };
    let through = known.as_ref().map_or(question.up_to, |known| known.through.max(question.up_to));
    let mut hits = known.as_ref().map_or_else(Vec::new, |known| known.hits.clone());
    hits.extend(fresh);
    hits.retain(|hit| question.marks.is_unread(hit.thread.as_ref(), hit.position));
    if !hits.is_empty() {
        let gone = redacted::applied(question, unread_from).await?;
        hits.retain(|hit| gone.binary_search(&hit.event).is_err());
    }
    hits.drain(..hits.len().saturating_sub(MAX_HITS));
    let settled = Settled { version: rules.version, through, hits };
    Ok(known.filter(|known| **known == settled).unwrap_or_else(|| Arc::new(settled)))
}

/// Where the first unread event may be. Where nothing was sent to threads since the room's mark, only that of the main timeline counts.
async fn unread_from(question: &Question<'_>) -> Result<Position, StoreFault> {
    let marks = &question.marks;
    if marks.room == marks.main {
        return Ok(marks.main);
    }
    let (now, read) = (question.totals_now().await?, question.totals_at(marks.room).await?);
    let in_threads = now.in_threads.since(read.in_threads).events;
    Ok(if in_threads == 0 { marks.main } else { marks.room })
}

/// What the rules say about the unread events after a position: those that notify, oldest first.
async fn ask(
    rooms: &Rooms,
    question: &Question<'_>,
    rules: &UserRules,
    from: Position,
) -> Result<Vec<Hit>, StoreFault> {
    let room = question.view.number;
    let range = KeyRange::<Timeline>::prefix(&room).after(&(room, from)).to(&(room, question.up_to));
    let page = question.snapshot.scan(range, Direction::Backward, MAX_EVALUATED).await?;
    let rows = page.rows.into_iter().rev().map(|((_, position), row)| (position, row));
    let unread: Vec<(Position, TimelineRow)> =
        rows.filter(|(position, row)| question.marks.is_unread(row.thread.as_ref(), *position)).collect();
    let mut hits = Vec::new();
    for chunk in unread.chunks(CHUNK) {
        for judged in judge(rooms, question, rules, chunk).await? {
            if judged.notify {
                let Judged { position, event, thread, highlight, .. } = judged;
                hits.push(Hit { position, event: event.number, thread, highlight });
            }
        }
    }
    Ok(hits)
}

/// What the rules say about some rows of the live stream, in their order.
pub async fn judge(
    rooms: &Rooms,
    question: &Question<'_>,
    rules: &UserRules,
    rows: &[(Position, TimelineRow)],
) -> Result<Vec<Judged>, StoreFault> {
    let room = question.view.number;
    let (mut judged, mut setting) = (Vec::with_capacity(rows.len()), None);
    for chunk in rows.chunks(CHUNK) {
        let numbers: Vec<EventNumber> = chunk.iter().map(|(_, row)| row.event).collect();
        let events = rooms.events().get_many(question.snapshot, room, question.view.rules, &numbers).await?;
        let subscribed = subscribed(question, rules, chunk).await?;
        for (((position, row), event), subscribed) in chunk.iter().zip(events).zip(subscribed) {
            let silent = Judged {
                position: *position,
                thread: row.thread.clone(),
                notify: false,
                highlight: false,
                actions: Vec::new(),
                event,
            };
            if !may_notify(question, rules, &silent.event) {
                judged.push(silent);
                continue;
            }
            let here = Setting::of(rooms, question, rules.asks_name, row.state, setting.take()).await?;
            let reader =
                Reader { user: question.user, display_name: here.display_name.as_deref(), subscribed };
            let context = here.context(question, row.joined);
            let said = evaluate(&rules.rules, &PushEvent::new(&silent.event.pdu), &context, &reader);
            let (notify, highlight) = (said.notify, said.highlight);
            judged.push(Judged { notify, highlight, actions: said.actions.to_vec(), ..silent });
            setting = Some(here);
        }
    }
    Ok(judged)
}

/// Whether the user is subscribed to the thread of each event; `None` for those in no thread.
async fn subscribed(
    question: &Question<'_>,
    rules: &UserRules,
    rows: &[(Position, TimelineRow)],
) -> Result<Vec<Option<bool>>, ReadError> {
    let mut roots: Vec<OwnedEventId> = rows.iter().filter_map(|(_, row)| row.thread.clone()).collect();
    roots.sort_unstable();
    roots.dedup();
    let found = if rules.asks_subscriptions && !roots.is_empty() {
        are_subscribed(question.snapshot, question.user, &question.view.id, &roots).await?
    } else {
        vec![false; roots.len()]
    };
    let of = |root: &OwnedEventId| roots.binary_search(root).is_ok_and(|at| found.get(at) == Some(&true));
    Ok(rows.iter().map(|(_, row)| row.thread.as_ref().map(of)).collect())
}

/// Whether there is a point in asking: the event is there, and of somebody else whom the user does not ignore.
fn may_notify(question: &Question<'_>, rules: &UserRules, event: &RoomEvent) -> bool {
    let sender = event.pdu.sender();
    event.facts.redacted_by.is_none() && sender != question.user && !rules.ignored.contains(sender)
}
