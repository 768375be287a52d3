//! The frame of an answer: what it tells of which room.
//!
//! Owns: which rooms of the windows have something new for the client, and since when. Does not own: what is told of one room ([`crate::frame::RoomPart`]), what
//! is in it.
//!
//! Invariants: each room has its own span, from what the client has of it. A room without anything new costs a look into memory.

use std::collections::BTreeSet;
use std::sync::Arc;

use plop_db::Position;
use plop_rooms::StoreFault;
use plop_rooms::schema::Membership;
use plop_state_store::RoomNumber;

use super::connection::Connection;
use super::order::{Listed, ListedMembership};
use super::request::SlidingError;
use super::required_state::{RequiredState, StateWishes};
use super::schema::SentRoom;
use super::windows::{CombinedConfig, CombinedConfigs, Mask, NumberedRequest, Windows};
use crate::context::RequestContext;
use crate::frame::{Glance, JoinedPart, LeftPart, Part, RoomPart, Shown, Span};
use crate::memberships::UserRoom;
use crate::news::RoomNews;
use crate::past;
use crate::turns::take_turns;

/// Rooms of one answer at most; the rest comes with the next ones.
pub const MAX_ROOMS: usize = 5_000;
/// Rooms that are looked at before others get a turn.
const ROOMS_AT_ONCE: usize = 16;

/// A room that may have something new.
#[derive(Debug)]
pub struct RoomToTell {
    pub room: RoomNumber,
    pub told: RoomPart,
    pub row: UserRoom,
    pub mask: Mask,
    pub wanted: Arc<CombinedConfig>,
    /// What the client has of it.
    pub sent: Option<SentRoom>,
    pub is_dm: bool,
    /// The user has read further.
    pub has_read: bool,
}

impl RoomToTell {
    /// Whether the client gets the room as one that it does not have.
    pub fn is_initial(&self) -> bool {
        let since = match self.told {
            RoomPart::Joined(joined) => joined.part.since,
            RoomPart::Left(left) => left.part.since,
            RoomPart::Outside(_) => None,
        };
        self.sent.is_none() || since.is_none()
    }

    /// The membership that is told.
    pub fn membership(&self) -> Membership {
        match self.told {
            RoomPart::Joined(_) => Membership::Join,
            // It may have changed again after what is told.
            RoomPart::Left(_) if self.row.membership == Membership::Ban => Membership::Ban,
            RoomPart::Left(_) => Membership::Leave,
            RoomPart::Outside(row) => row.membership,
        }
    }

    /// Whether the room is told of for certain.
    pub fn is_news(&self) -> bool {
        self.sent.is_none() || matches!(self.told, RoomPart::Left(_) | RoomPart::Outside(_))
    }

    /// What the client has of it after the answer.
    pub fn after(&self, to: Position) -> SentRoom {
        let SentRoom { receipts, account_data, .. } = self.sent.clone().unwrap_or(NOTHING);
        SentRoom {
            position: to,
            timeline_limit: self.wanted.timeline_limit,
            wishes: self.wanted.state.hash,
            is_dm: self.is_dm,
            receipts,
            account_data,
        }
    }
}

const NOTHING: SentRoom = SentRoom {
    position: Position::START,
    timeline_limit: 0,
    wishes: 0,
    is_dm: false,
    receipts: false,
    account_data: false,
};

/// What the frame is made of.
pub struct Sources<'a> {
    pub context: &'a RequestContext,
    pub asked: &'a NumberedRequest<'a>,
    pub windows: &'a Windows,
    pub connection: &'a Connection,
    pub came_with: u64,
    pub to: Position,
    pub direct: &'a BTreeSet<RoomNumber>,
    /// Rooms in which the user has read further.
    pub read: &'a BTreeSet<RoomNumber>,
}

/// The rooms that may have something new, the most active first, and whether there are more.
pub async fn frame(sources: &Sources<'_>) -> Result<(Vec<RoomToTell>, bool), SlidingError> {
    let mut configs = CombinedConfigs::new(sources.asked);
    let mut rooms = Vec::new();
    for (listed, mask) in sources.windows.rooms() {
        let room = listed.room;
        let sent = sources.connection.sent(room, sources.came_with);
        let is_dm = sources.direct.contains(&room);
        let wanted = configs.of(room, mask)?;
        let has_read = sources.read.contains(&room);
        let is_changed = sent.is_none_or(|sent| {
            has_read || sent.is_dm != is_dm || widened(sent, &wanted, &sources.connection.wishes)
        });
        if !is_changed && sent.is_some_and(|sent| is_quiet(listed, sent)) {
            continue;
        }
        if rooms.len() == MAX_ROOMS {
            return Ok((rooms, true));
        }
        take_turns(rooms.len(), ROOMS_AT_ONCE).await;
        if let Some(told) = told(sources, listed, sent, is_changed).await? {
            let (row, sent) = (listed.row, sent.cloned());
            rooms.push(RoomToTell { room, told, row, mask, wanted, sent, is_dm, has_read });
        }
    }
    Ok((rooms, false))
}

/// Whether nothing came in a room since it was sent.
fn is_quiet(listed: &Listed, sent: &SentRoom) -> bool {
    listed.row.position <= sent.position
        && (listed.membership != ListedMembership::Joined || listed.position <= sent.position)
}

/// Whether more is wanted of a room than it was sent with.
fn widened(sent: &SentRoom, wanted: &CombinedConfig, known: &imbl::OrdMap<u64, StateWishes>) -> bool {
    let more_state = || {
        let before = known.get(&sent.wishes);
        let is_new = |wish: &Arc<RequiredState>| before.is_none_or(|before| !before.wishes.contains(wish));
        sent.wishes != wanted.state.hash && wanted.state.wishes.wishes.iter().any(is_new)
    };
    wanted.timeline_limit > sent.timeline_limit || more_state()
}

/// What is told of a room.
async fn told(
    sources: &Sources<'_>,
    listed: &Listed,
    sent: Option<&SentRoom>,
    is_changed: bool,
) -> Result<Option<RoomPart>, StoreFault> {
    let since = sent.map(|sent| sent.position);
    let to = sources.to;
    let span =
        Span { since, to, include_left: listed.membership == ListedMembership::ThrownOut, full_state: false };
    let has_events = since.is_some_and(|since| listed.position > since);
    let news = has_events.then(|| RoomNews { events: true, ..RoomNews::default() });
    let told = match RoomPart::at_a_glance(&listed.row, &span, news.as_ref()) {
        Glance::Nothing if is_changed && listed.membership == ListedMembership::Joined => {
            Some(RoomPart::Joined(JoinedPart { part: Part { since, to }, whole: false, open: true }))
        }
        Glance::Nothing => None,
        Glance::Clear(told) => Some(told),
        Glance::Unclear => {
            let RequestContext { shared, actor, user, .. } = sources.context;
            past::told(&shared.parts.rooms, (actor, user), listed.room, &listed.row, &span).await?
        }
    };
    match told {
        // The client has a room that it will hear nothing more of.
        None if listed.membership == ListedMembership::Gone => {
            let part = Part { since, to };
            Ok(Some(RoomPart::Left(LeftPart { part, shown: Shown::Nothing })))
        }
        told => Ok(told),
    }
}
