//! Counts as differences of running totals, for users whose rules come to the default ones in the room.
//!
//! Owns: the sums. Invariants: what is read does not depend on the number of unread events, but on how many of them mention the user or were
//! redacted, and on the threads that are unread.

use std::collections::{BTreeMap, BTreeSet};

use plop_db::{Direction, KeyRange, Position, ReadError};
use plop_rooms::schema::{ActiveThreadRow, ActiveThreads, MentionRow, Tally, ThreadTotals, Totals};
use plop_state_store::EventNumber;
use ruma::OwnedEventId;

use crate::counts::{Counts, RoomCounts};
use crate::question::Question;
use crate::redacted;

/// Threads that are looked at, the last ones to notify: each costs two reads. What older ones have unread does not count.
const MAX_THREADS: usize = 100;

/// What is unread in a room.
#[derive(Debug, Default)]
pub struct Found {
    pub parts: RoomCounts,
    /// What is unread in threads, where it was not asked in which.
    pub in_some_thread: Counts,
}

/// What is unread under the default rules, `by_thread` if it is asked for.
pub async fn count(question: &Question<'_>, by_thread: bool) -> Result<Found, ReadError> {
    let marks = &question.marks;
    let now = question.totals_now().await?;
    let read_main = question.totals_at(marks.main).await?;
    let read_room = if marks.room < marks.main { question.totals_at(marks.room).await? } else { read_main };
    let main = now.main().since(read_main.main());
    let threads = now.in_threads.since(read_room.in_threads);
    let mut found = Found::default();
    if !reaches(main) && !reaches(threads) {
        return Ok(found);
    }
    let after = if reaches(threads) { marks.room } else { marks.main };
    let redacted = redacted::unread(question, after).await?;
    let gone: BTreeSet<EventNumber> = redacted.iter().map(|redacted| redacted.row.event).collect();
    found.parts.main = Counts::of(main);
    if main.mentioning > 0 {
        for (_, mention) in question.mentions(false, marks.main).await? {
            found.add_mention(&mention, &gone, true);
        }
    }
    let by_thread = by_thread || !marks.know_no_thread();
    if by_thread && threads.notifying > 0 {
        found.parts.threads = by_root(question, read_room).await?;
    } else if !by_thread {
        found.in_some_thread = Counts::of(threads);
    }
    if threads.mentioning > 0 {
        for (position, mention) in question.mentions(true, marks.room).await? {
            if marks.is_unread(mention.thread.as_ref(), position) {
                found.add_mention(&mention, &gone, by_thread);
            }
        }
    }
    for redacted in &redacted {
        found.part(redacted.row.thread.as_ref(), by_thread).take_off(redacted.counted);
    }
    found.parts.threads.retain(|_, counts| !counts.is_zero());
    Ok(found)
}

impl Found {
    /// Adds a mention as far as it is not in the totals.
    fn add_mention(&mut self, mention: &MentionRow, gone: &BTreeSet<EventNumber>, by_thread: bool) {
        if !gone.contains(&mention.event) {
            let notifications = u64::from(!mention.notifies_everyone);
            *self.part(mention.thread.as_ref(), by_thread) +=
                Counts { notification_count: notifications, highlight_count: 1 };
        }
    }

    fn part(&mut self, thread: Option<&OwnedEventId>, by_thread: bool) -> &mut Counts {
        if thread.is_some() && !by_thread { &mut self.in_some_thread } else { self.parts.part(thread) }
    }

    /// Leaves what is highlighted, for those whom nothing else notifies.
    pub fn keep_highlights(&mut self) {
        let parts = &mut self.parts;
        for counts in parts.threads.values_mut().chain([&mut parts.main, &mut self.in_some_thread]) {
            counts.notification_count = counts.highlight_count;
        }
        parts.threads.retain(|_, counts| !counts.is_zero());
    }

    /// Leaves of what is in threads what is highlighted.
    pub fn keep_highlights_of_threads(&mut self) {
        let main = self.parts.main;
        self.keep_highlights();
        self.parts.main = main;
    }

    /// The whole room.
    pub fn room(&self) -> Counts {
        let mut sum = self.parts.room();
        sum += self.in_some_thread;
        sum
    }
}

/// The unread threads. `read_room` are the totals at the room's mark.
async fn by_root(
    question: &Question<'_>,
    read_room: Totals,
) -> Result<BTreeMap<OwnedEventId, Counts>, ReadError> {
    let room = question.view.number;
    let range = KeyRange::<ActiveThreads>::prefix(&room).after(&(room, read_room.all.events));
    let page = question.snapshot.scan(range, Direction::Backward, MAX_THREADS).await?;
    let mut found = BTreeMap::new();
    for (_, ActiveThreadRow { root, position }) in page.rows {
        let mark = question.marks.thread(&root);
        if position <= mark {
            continue;
        }
        let now = tally_at(question, &root, question.up_to).await?;
        let unread = now.since(tally_at(question, &root, mark).await?);
        if reaches(unread) {
            found.insert(root, Counts::of(unread));
        }
    }
    Ok(found)
}

/// The total of a thread up to a position.
async fn tally_at(
    question: &Question<'_>,
    root: &OwnedEventId,
    position: Position,
) -> Result<Tally, ReadError> {
    let room = question.view.number;
    let range = KeyRange::<ThreadTotals>::prefix(&(room, root.clone()));
    let range = range.to(&(room, root.clone(), position));
    let page = question.snapshot.scan(range, Direction::Backward, 1).await?;
    Ok(page.rows.into_iter().next().map(|(_, row)| row.tally).unwrap_or_default())
}

fn reaches(tally: Tally) -> bool {
    tally.notifying > 0 || tally.mentioning > 0
}
