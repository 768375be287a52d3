//! Events that were counted and have been redacted since.
//!
//! Owns: finding those that a user has not read. The totals keep what was counted, so it is taken off here.
//!
//! Invariants: at most [`MAX_REDACTIONS`] are looked at, the newest; what an older one took away still counts, until it is read.

use plop_db::{Direction, KeyRange, Position, ReadError};
use plop_rooms::schema::{AppliedRedactions, Arrivals, TimelineRow};
use plop_state_store::EventNumber;

use crate::counts::Counts;
use crate::question::Question;

const MAX_REDACTIONS: usize = 500;

/// An unread event that has been redacted.
pub struct Redacted {
    pub row: TimelineRow,
    /// What it added to the totals.
    pub counted: Counts,
}

/// The redacted ones among the events after `after` that the user has not read.
pub async fn unread(question: &Question<'_>, after: Position) -> Result<Vec<Redacted>, ReadError> {
    let mut found = Vec::new();
    let targets = applied(question, after).await?;
    let keys: Vec<_> = targets.iter().map(|target| (question.view.number, *target)).collect();
    let arrivals = question.snapshot.get_many::<Arrivals>(&keys).await?;
    for (target, arrival) in targets.into_iter().zip(arrivals) {
        let Some(arrival) = arrival.filter(|arrival| *arrival > after && *arrival <= question.up_to) else {
            continue;
        };
        let mut rows = question.stream_to(arrival, 2).await?.into_iter();
        let Some((_, row)) = rows.next().filter(|(_, row)| row.event == target) else { continue };
        if question.marks.is_unread(row.thread.as_ref(), arrival) {
            let before = rows.next().map(|(_, row)| row.totals).unwrap_or_default();
            let counted = Counts::of(row.totals.all.since(before.all));
            found.push(Redacted { row, counted });
        }
    }
    Ok(found)
}

/// The events to which a redaction was applied after a position. A redaction comes after its target or with it.
pub async fn applied(question: &Question<'_>, after: Position) -> Result<Vec<EventNumber>, ReadError> {
    let room = question.view.number;
    let range =
        KeyRange::<AppliedRedactions>::prefix(&room).after(&(room, after)).to(&(room, question.up_to));
    let page = question.snapshot.scan(range, Direction::Backward, MAX_REDACTIONS).await?;
    let mut targets: Vec<EventNumber> = page.rows.into_iter().map(|((.., target), ())| target).collect();
    targets.sort_unstable();
    targets.dedup();
    Ok(targets)
}
