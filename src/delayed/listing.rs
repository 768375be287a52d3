//! What a user has scheduled, and what became of it.
//!
//! Owns: looking up one's own events, one or many. Does not own: how they look on the wire.
//!
//! Invariants: nobody sees those of others. A page has bounded size and says where to go on.

use plop_base::{Actor, UnixMillis};
use plop_db::{Direction, KeyRange};
use ruma::RoomId;

use crate::delayed::Delayed;
use crate::refusal::DelayRefusal;
use crate::schema::{DelayedEvents, DelayedOfUser, DelayedRow};
use crate::sender::owner;

/// Events that a page looks at.
const PAGE: usize = 200;
/// Bytes of contents on a page, roughly.
const MAX_BYTES: usize = 1 << 20;

/// Which events to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter<'r> {
    /// Those that are over, else those that are scheduled.
    pub finalised: bool,
    pub room: Option<&'r RoomId>,
    pub kind: Option<&'r str>,
    /// Where to go on: [`Page::next`].
    pub from: Option<&'r str>,
}

/// An event by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub id: String,
    pub row: DelayedRow,
}

/// A part of a list, by the time at which events are to be sent or were over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    pub events: Vec<Listed>,
    pub next: Option<String>,
}

impl Delayed {
    /// One event of the user's.
    ///
    /// # Errors
    /// `NotFound`, also where it is somebody else's.
    pub async fn get(&self, actor: &Actor, id: &str) -> Result<Listed, DelayRefusal> {
        let user = owner(actor)?;
        let row = self.row(id).await?.filter(|row| *row.user == *user).ok_or(DelayRefusal::NotFound)?;
        let row = if is_open(&row) { self.look_at(id).await? } else { Some(row) };
        Ok(Listed { id: id.to_owned(), row: row.ok_or(DelayRefusal::NotFound)? })
    }

    /// A page of the user's events; `None` if `from` is none of the texts that pages end with.
    pub async fn list(&self, actor: &Actor, filter: Filter<'_>) -> Result<Option<Page>, DelayRefusal> {
        let user = owner(actor)?;
        let mut range = KeyRange::<DelayedOfUser>::prefix(&(user.to_owned(), filter.finalised));
        if let Some(from) = filter.from {
            let Some((at, id)) = place(from) else { return Ok(None) };
            range = range.after(&(user.to_owned(), filter.finalised, at, id));
        }
        let snapshot = self.parts().db.snapshot();
        let keys = snapshot.scan(range, Direction::Forward, PAGE).await?;
        let ids: Vec<String> = keys.rows.iter().map(|((.., id), ())| id.clone()).collect();
        let rows = snapshot.get_many::<DelayedEvents>(&ids).await?;
        let (mut page, mut bytes) = (Page::default(), 0);
        let more = |((_, _, at, id), ()): &((_, _, UnixMillis, String), ())| Some(format!("{}_{id}", at.0));
        for (key, row) in keys.rows.iter().zip(rows) {
            let wanted = row.filter(|row| {
                filter.room.is_none_or(|room| *row.room == *room)
                    && filter.kind.is_none_or(|kind| row.kind == kind)
            });
            let Some(mut row) = wanted else { continue };
            let ((.., id), ()) = key;
            if is_open(&row) {
                match self.look_at(id).await? {
                    // Sent meanwhile, or cancelled by what it finds.
                    Some(now) if now.finalised.is_none() => row = now,
                    _ => continue,
                }
            }
            bytes += row.content.0.len();
            page.events.push(Listed { id: id.clone(), row });
            if bytes > MAX_BYTES {
                page.next = more(key);
                return Ok(Some(page));
            }
        }
        page.next = keys.rows.last().filter(|_| keys.more).and_then(more);
        Ok(Some(page))
    }

    async fn look_at(&self, id: &str) -> Result<Option<DelayedRow>, DelayRefusal> {
        let guard = self.parts().events.lock(id).await;
        self.look(&guard, id).await
    }
}

/// Whether somebody may have cancelled it without anything saying so yet.
fn is_open(row: &DelayedRow) -> bool {
    row.finalised.is_none() && row.state_key.is_some()
}

/// The place that a page ended with.
fn place(text: &str) -> Option<(UnixMillis, String)> {
    let (at, id) = text.split_once('_')?;
    let is_digits = at.bytes().all(|byte| byte.is_ascii_digit());
    let is_name = id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let at = at.parse().ok().filter(|_| is_digits && is_name)?;
    Some((UnixMillis(at), id.to_owned()))
}
