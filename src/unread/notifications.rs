//! What a user was notified of (client-server API, "Listing Notifications").
//!
//! Owns: the walk back over the live streams of all rooms that the user is in, and what the rules say of each event. Does not own: the rules, how far the
//! user has read.
//!
//! Invariants: notifications come newest first, over all rooms, and a page that ends early says where to go on. No row of its own is kept: what is said
//! follows from the rules as they are now, as counts do. Of the rooms one row each is read, at most [`MAX_ROOMS`]; events are asked about until the page is
//! full, at most [`MAX_EXAMINED`]. What came before the user's join notified nobody.

use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use plop_db::{Direction, KeyRange, Position, Snapshot};
use plop_rooms::reader::access::RoomReader;
use plop_rooms::reader::client_event::Detail;
use plop_rooms::schema::{JoinedSince, Membership, Timeline, TimelineRow, UserRooms};
use plop_rooms::{LoadError, RoomView, Rooms, StoreFault};
use plop_state::pdu::ClientFormat;
use plop_state::push::InRoom;
use plop_state_store::RoomNumber;
use ruma::push::Action;
use ruma::{DeviceId, MilliSecondsSinceUnixEpoch, OwnedRoomId, UserId};

use crate::by_rules::{Judged, judge};
use crate::marks::Marks;
use crate::question::Question;
use crate::unread::{NotifiedUser, Unread};

/// Notifications of a page at most, whatever was asked for.
pub const MAX_NOTIFICATIONS: usize = 100;
/// Rooms that are looked at.
pub const MAX_ROOMS: usize = 10_000;
/// Events that one page asks the rules about.
pub const MAX_EXAMINED: usize = 1_000;
/// Events of a room that are read at once.
const CHUNK: usize = 20;
/// Rows of rooms that are read at once.
const ROOMS_CHUNK: usize = 1_000;

/// Where a page begins: right below an event, whatever its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotificationToken(Position);

/// A text that is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a token of notifications")]
pub struct NoToken;

const PREFIX: &str = "n1_";

impl fmt::Display for NotificationToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.0.to_hex())
    }
}

impl FromStr for NotificationToken {
    type Err = NoToken;

    fn from_str(text: &str) -> Result<Self, NoToken> {
        text.strip_prefix(PREFIX).and_then(Position::from_hex).map(Self).ok_or(NoToken)
    }
}

/// Which notifications are wanted.
#[derive(Debug, Clone, Copy)]
pub struct NotificationsRequest {
    pub from: Option<NotificationToken>,
    /// Cut to [`MAX_NOTIFICATIONS`].
    pub limit: usize,
    /// Only those with a highlight.
    pub only_highlights: bool,
}

/// An event that notifies.
#[derive(Debug, Clone)]
pub struct Notification {
    pub room: OwnedRoomId,
    /// The client form of the event, without the room's id.
    pub event: String,
    pub actions: Vec<Action>,
    /// Whether the user has read it.
    pub read: bool,
    /// When the event was sent.
    pub ts: MilliSecondsSinceUnixEpoch,
}

/// Notifications, newest first.
#[derive(Debug, Clone, Default)]
pub struct NotificationsPage {
    pub notifications: Vec<Notification>,
    /// Where to go on; `None`: there are no more.
    pub next: Option<NotificationToken>,
}

/// A room on the way back.
struct Way {
    view: Arc<RoomView>,
    marks: Marks,
    since: Position,
    /// Rows that were read, newest first.
    rows: VecDeque<Judged>,
    /// Down to where rows were read.
    reached: Option<Position>,
    /// Whether there may be rows below that.
    more: bool,
}

impl Unread {
    /// A page of what the user was notified of.
    pub async fn notifications(
        &self,
        snapshot: &Snapshot,
        notified: &NotifiedUser,
        device: Option<&DeviceId>,
        request: NotificationsRequest,
    ) -> Result<NotificationsPage, StoreFault> {
        let user = notified.user();
        let limit = request.limit.min(MAX_NOTIFICATIONS);
        let mut heads = heads(snapshot, user, request.from).await?;
        let mut ways: BTreeMap<RoomNumber, Option<Way>> = BTreeMap::new();
        let mut page = NotificationsPage::default();
        let mut examined = 0;
        while let Some((position, room)) = heads.pop() {
            let way = match ways.remove(&room) {
                Some(way) => way,
                None => self.way(snapshot, notified, room).await?,
            };
            let Some(mut way) = way else { continue };
            if way.rows.is_empty() && way.more {
                examined += self.read_on(snapshot, notified, &mut way, position).await?;
            }
            let Some(judged) = way.rows.pop_front() else { continue };
            if judged.position < position {
                // That there may be more below a row said nothing of where.
                heads.push((judged.position, room));
                way.rows.push_front(judged);
                ways.insert(room, Some(way));
                continue;
            }
            if judged.notify && (judged.highlight || !request.only_highlights) {
                page.notifications
                    .extend(tell(self.rooms(), snapshot, notified, device, &way, &judged).await?);
            }
            // Of what was not read yet it is known that it is below.
            let next = way.rows.front().map(|next| next.position);
            let next = next.or_else(|| way.more.then_some(judged.position));
            heads.extend(next.map(|next| (next, room)));
            ways.insert(room, Some(way));
            if page.notifications.len() >= limit || examined >= MAX_EXAMINED {
                page.next = (!heads.is_empty()).then_some(NotificationToken(judged.position));
                return Ok(page);
            }
        }
        Ok(page)
    }

    /// A room to walk back; `None` where nothing notifies.
    async fn way(
        &self,
        snapshot: &Snapshot,
        notified: &NotifiedUser,
        room: RoomNumber,
    ) -> Result<Option<Way>, StoreFault> {
        let view = match self.rooms().view(room).await {
            Ok(view) => view,
            Err(LoadError::NotHere | LoadError::UnknownVersion(_)) => return Ok(None),
            Err(LoadError::Store(fault)) => return Err(fault),
        };
        let user = notified.user();
        let is_joined = view.members.membership(user) == Membership::Join;
        if !is_joined || notified.rules().in_room(&view) == InRoom::Silent {
            return Ok(None);
        }
        let marks = Marks::read(snapshot, room, user).await?;
        let since = snapshot.get::<JoinedSince>(&(room, user.to_owned())).await?;
        let since = since.unwrap_or(Position::START);
        Ok(Some(Way { view, marks, since, rows: VecDeque::new(), reached: None, more: true }))
    }

    /// Reads and judges the rows up to and with a position. How many there were.
    async fn read_on(
        &self,
        snapshot: &Snapshot,
        notified: &NotifiedUser,
        way: &mut Way,
        to: Position,
    ) -> Result<usize, StoreFault> {
        let room = way.view.number;
        let range = KeyRange::<Timeline>::prefix(&room).after(&(room, way.since));
        let range = match way.reached {
            Some(reached) => range.before(&(room, reached)),
            None => range.to(&(room, to)),
        };
        let page = snapshot.scan(range, Direction::Backward, CHUNK).await?;
        way.more = page.more;
        way.reached = page.rows.last().map(|((_, position), _)| *position);
        let rows: Vec<(Position, TimelineRow)> =
            page.rows.into_iter().map(|((_, position), row)| (position, row)).collect();
        let (view, marks) = (&*way.view, way.marks.clone());
        let question = Question { snapshot, view, user: notified.user(), marks, up_to: to };
        way.rows = judge(self.rooms(), &question, notified.rules(), &rows).await?.into();
        Ok(rows.len())
    }
}

/// The newest event of each room that the user is in, below where the page begins.
async fn heads(
    snapshot: &Snapshot,
    user: &UserId,
    from: Option<NotificationToken>,
) -> Result<BinaryHeap<(Position, RoomNumber)>, StoreFault> {
    let mut heads = BinaryHeap::new();
    let mut rest = KeyRange::<UserRooms>::prefix(&user.to_owned());
    let mut looked_at = 0;
    loop {
        let page = snapshot.scan(rest.clone(), Direction::Forward, ROOMS_CHUNK).await?;
        for ((_, room), row) in &page.rows {
            if row.membership != Membership::Join {
                continue;
            }
            let stream = KeyRange::<Timeline>::prefix(room);
            let stream = match from {
                Some(NotificationToken(from)) => stream.before(&(*room, from)),
                None => stream.to(&(*room, snapshot.position())),
            };
            let newest = snapshot.scan(stream, Direction::Backward, 1).await?;
            heads.extend(newest.rows.first().map(|((room, position), _)| (*position, *room)));
            looked_at += 1;
        }
        match page.rows.last() {
            Some((last, _)) if page.more && looked_at < MAX_ROOMS => rest = rest.after(last),
            _ => return Ok(heads),
        }
    }
}

/// How an event is told, if the user may see it.
async fn tell(
    rooms: &Rooms,
    snapshot: &Snapshot,
    notified: &NotifiedUser,
    device: Option<&DeviceId>,
    way: &Way,
    judged: &Judged,
) -> Result<Option<Notification>, StoreFault> {
    let user = notified.user();
    let mut reader = RoomReader::new(rooms, Arc::clone(&way.view), snapshot.clone(), user, device).await?;
    if !reader.sees(&judged.event).await? {
        return Ok(None);
    }
    let events = [Arc::clone(&judged.event)];
    let texts = reader.client_events(&events, ClientFormat::WithoutRoomId, Detail::Timeline).await?;
    let told = |event| Notification {
        room: way.view.id.clone(),
        event,
        actions: judged.actions.clone(),
        read: !way.marks.is_unread(judged.thread.as_ref(), judged.position),
        ts: judged.event.pdu.origin_server_ts(),
    };
    Ok(texts.into_iter().next().map(told))
}
