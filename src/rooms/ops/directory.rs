//! The directory of published rooms (client-server API, "Published room directory").
//!
//! Owns: which rooms are listed, and the list. Does not own: what a room shows of itself ([`crate::summary`]).
//!
//! Invariants: the list is in the order of room numbers, so pages fit together whatever is published meanwhile. One call looks at
//! [`MAX_LOOKED_AT`] rooms at most: a page of a search may be short or empty and still have a next one. No room is taken into memory for the
//! list, so asking for it crowds out none that is in use.

use std::fmt;
use std::str::FromStr;

use plop_base::Actor;
use plop_db::{Batch, Direction, KeyRange};
use plop_state_store::RoomNumber;
use ruma::RoomId;

use crate::fault::StoreFault;
use crate::loading::{if_here, load_summary};
use crate::ops::aliases::may_name;
use crate::ops::refusal::{Guests, Refusal, sender};
use crate::rooms::Rooms;
use crate::schema::PublishedRooms;
use crate::summary::RoomSummary;

/// Rooms that one call looks at.
pub const MAX_LOOKED_AT: usize = 500;

/// A place in the list. Opaque to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The rooms after this one.
    After(RoomNumber),
    /// The rooms before this one.
    Before(RoomNumber),
}

/// What every text of a place begins with: the kind of token and the version of its form.
const PREFIX: &str = "d1_";

/// A text that is no place in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a token of the directory")]
pub struct NoPlace;

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::After(room) => write!(f, "{PREFIX}a{:x}", room.0),
            Self::Before(room) => write!(f, "{PREFIX}b{:x}", room.0),
        }
    }
}

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let place = text.strip_prefix(PREFIX).and_then(|rest| rest.split_at_checked(1)).ok_or(NoPlace)?;
        // `from_str_radix` would take a sign.
        let is_digits = place.1.bytes().all(|byte| byte.is_ascii_hexdigit());
        let room = u64::from_str_radix(place.1, 16).ok().filter(|_| is_digits).map(RoomNumber);
        match (place.0, room) {
            ("a", Some(room)) => Ok(Self::After(room)),
            ("b", Some(room)) => Ok(Self::Before(room)),
            _ => Err(NoPlace),
        }
    }
}

/// What someone looks for in the directory.
#[derive(Debug, Clone, Default)]
pub struct DirectoryQuery {
    /// Rooms on a page, at most; 0 for as many as one call gives.
    pub limit: usize,
    /// Where to go on; from the beginning without.
    pub since: Option<Place>,
    /// Text in the name, the topic or the canonical alias, upper and lower case alike.
    pub term: Option<String>,
    /// The types of room that are wanted, `None` among them standing for rooms without a type; all where nothing is given.
    pub room_types: Option<Vec<Option<String>>>,
}

/// A part of the list, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryPage {
    pub rooms: Vec<RoomSummary>,
    pub next: Option<Place>,
    pub previous: Option<Place>,
}

impl Rooms {
    /// Lists a room in the directory, or takes it off.
    ///
    /// # Errors
    /// `NotInRoom`, `MayNotPublish` for one without the power to set the room's canonical alias.
    pub async fn publish(&self, actor: &Actor, room: &RoomId, listed: bool) -> Result<(), Refusal> {
        let user = sender(actor, Guests::MayNot)?;
        let view = self.view_by_id(room).await?;
        if !view.members.is_joined(user) {
            return Err(Refusal::NotInRoom);
        }
        if !may_name(&view, user) {
            return Err(Refusal::MayNotPublish);
        }
        if !actor.reaches_others() {
            return Ok(());
        }
        let mut batch = Batch::durable();
        if listed {
            batch.put::<PublishedRooms>(&view.number, &());
        } else {
            batch.delete::<PublishedRooms>(&view.number);
        }
        self.core().db.commit(batch).await.map_err(StoreFault::from)?;
        Ok(())
    }

    /// Whether a room is listed.
    ///
    /// # Errors
    /// `NotInRoom` for a room that is not known here.
    pub async fn is_published(&self, room: &RoomId) -> Result<bool, Refusal> {
        let number = self.number(room).await?.ok_or(Refusal::NotInRoom)?;
        Ok(self.core().db.snapshot().get::<PublishedRooms>(&number).await?.is_some())
    }

    /// A page of the published rooms that match.
    ///
    /// # Errors
    /// Only faults of the store.
    pub async fn published_rooms(&self, query: &DirectoryQuery) -> Result<DirectoryPage, Refusal> {
        let limit = if query.limit == 0 { MAX_LOOKED_AT } else { query.limit.min(MAX_LOOKED_AT) };
        let all = KeyRange::<PublishedRooms>::all();
        let (range, direction) = match query.since {
            None => (all, Direction::Forward),
            Some(Place::After(room)) => (all.after(&room), Direction::Forward),
            Some(Place::Before(room)) => (all.before(&room), Direction::Backward),
        };
        let snapshot = self.core().db.snapshot();
        let page = snapshot.scan(range, direction, MAX_LOOKED_AT).await?;
        let mut found = Vec::new();
        let mut looked_at = 0;
        for (number, ()) in &page.rows {
            if found.len() == limit {
                break;
            }
            looked_at += 1;
            // `None`: gone since, or of a version that this server does not know any more.
            let summary = if_here(load_summary(self.core(), &snapshot, *number).await)?;
            found.extend(summary.filter(|summary| query.matches(summary)));
        }
        let numbers = || page.rows.iter().take(looked_at).map(|(number, ())| *number);
        let (first, last) = (numbers().min(), numbers().max());
        let more = page.more || looked_at < page.rows.len();
        let is_backward = direction == Direction::Backward;
        if is_backward {
            found.reverse();
        }
        // The page that one came from is there; the other one if the scan saw it.
        let next = last.map(Place::After).filter(|_| more || is_backward);
        let previous =
            first.map(Place::Before).filter(|_| if is_backward { more } else { query.since.is_some() });
        Ok(DirectoryPage { rooms: found, next, previous })
    }
}

impl DirectoryQuery {
    fn matches(&self, room: &RoomSummary) -> bool {
        // A room that everyone has left cannot be joined through this server.
        if room.joined_members == 0 {
            return false;
        }
        let is_of_type = self.room_types.as_ref().is_none_or(|types| types.contains(&room.room_type));
        let Some(term) = self.term.as_deref().map(str::to_lowercase).filter(|_| is_of_type) else {
            return is_of_type;
        };
        let alias = room.canonical_alias.as_ref().map(|alias| alias.as_str());
        let texts = [room.name.as_deref(), room.topic.as_deref(), alias];
        texts.into_iter().flatten().any(|text| text.to_lowercase().contains(&term))
    }
}
