//! What an answer tells of rooms beside their events: receipts, typing, account data (MSC3959, MSC3960, MSC3961).
//!
//! Owns: which rooms have news of these for the client, and that what is not told now is told later. Does not own: the streams, the text.
//!
//! Invariants: changes go from the client's position to the answer's. A room that an extension does not tell of now, though the client has it, is told of as a
//! whole once the extension does.

use std::collections::{BTreeMap, BTreeSet};

use plop_accounts::account_data::AccountDataItem;
use plop_db::Position;
use plop_ephemeral::LivePosition;
use plop_ephemeral::receipts::Receipt;
use plop_rooms::StoreFault;
use plop_state_store::RoomNumber;
use ruma::OwnedRoomId;

use super::connection::Connection;
use super::order::ListedMembership;
use super::request::Extensions;
use super::windows::{InScope, Mask, NumberedRequest, Windows};
use crate::context::RequestContext;
use crate::news;
use crate::receipts;
use crate::turns::take_turns;
use crate::typing;

/// Rooms that are looked at before others get a turn.
const ROOMS_AT_ONCE: usize = 16;

/// What is told of one room.
#[derive(Debug)]
pub enum Part<T> {
    /// All of it, which is read when its turn comes.
    All,
    /// What changed.
    Changes(T),
}

/// What is told beside rooms.
#[derive(Debug, Default)]
pub struct BesideRooms {
    /// Changes since a position, which are read when their turn comes.
    pub receipts: BTreeMap<RoomNumber, Part<Position>>,
    pub account_data: BTreeMap<RoomNumber, Part<Vec<AccountDataItem>>>,
    /// Events.
    pub typing: BTreeMap<RoomNumber, String>,
    /// Rooms of which the client has not got what is new.
    pub owed_receipts: BTreeSet<RoomNumber>,
    pub owed_account_data: BTreeSet<RoomNumber>,
}

impl BesideRooms {
    /// Whether anything is told of rooms that the client has.
    pub fn is_news(&self) -> bool {
        let is_empty = self.receipts.is_empty() && self.account_data.is_empty() && self.typing.is_empty();
        !is_empty
    }

    /// The rooms that are told of.
    pub fn rooms(&self) -> BTreeSet<RoomNumber> {
        self.receipts.keys().chain(self.account_data.keys()).chain(self.typing.keys()).copied().collect()
    }
}

/// The receipts that moved since a position in the rooms that the client has.
#[derive(Debug, Default)]
pub struct MovedReceipts {
    /// Rooms with some that the user may see, and since when they moved. Of a room in no window it is not asked whose they are.
    rooms: BTreeMap<RoomNumber, Position>,
    /// Rooms in windows in which the user has read further.
    pub read: BTreeSet<RoomNumber>,
}

/// Which receipts moved. Nothing is read of rooms that are in no window.
pub async fn moved_receipts(
    context: &RequestContext,
    windows: &Windows,
    (connection, came_with): (&Connection, u64),
    (since, to): (Position, Position),
) -> Result<MovedReceipts, StoreFault> {
    let mut found = MovedReceipts::default();
    if connection.rooms.is_empty() {
        return Ok(found);
    }
    let shared = &context.shared;
    let rooms = shared.memberships.of(context.user(), &shared.changes).await?;
    let has = |room: &RoomNumber| connection.sent(*room, came_with).is_some();
    let changed =
        news::changed(shared, (&rooms, has), since, |logs| &logs.receipts, &shared.last_receipts).await?;
    let shown: BTreeSet<RoomNumber> = joined(windows).map(|(room, _)| room).collect();
    let snapshot = shared.parts.db.snapshot();
    for (index, room) in changed.into_iter().enumerate() {
        take_turns(index, ROOMS_AT_ONCE).await;
        let (mut has_read, mut is_seen) = (false, !shown.contains(&room));
        if !is_seen {
            let is_enough = |receipt: &Receipt| {
                has_read |= receipt.user == context.user;
                is_seen |= !context.ignored.contains(&receipt.user);
                has_read
            };
            receipts::has_changed(&snapshot, room, (since, to), is_enough).await?;
        }
        found.note(room, since, has_read, is_seen);
    }
    let may_have_private = {
        let (changes, _) = shared.changes.now();
        changes.logs.private_receipts.may_have_changed(&context.user, since)
    };
    if may_have_private {
        for receipt in receipts::private_changes(&snapshot, context.user(), since, to).await? {
            if rooms.joined.contains_key(&receipt.room) && has(&receipt.room) {
                found.note(receipt.room, since, shown.contains(&receipt.room), true);
            }
        }
    }
    Ok(found)
}

impl MovedReceipts {
    fn note(&mut self, room: RoomNumber, since: Position, has_read: bool, is_seen: bool) {
        if has_read {
            self.read.insert(room);
        }
        if is_seen {
            self.rooms.insert(room, since);
        }
    }
}

/// What the parts below are made from.
pub struct Sources<'a> {
    pub context: &'a RequestContext,
    pub asked: &'a NumberedRequest<'a>,
    pub windows: &'a Windows,
    pub connection: &'a Connection,
    pub came_with: u64,
    pub ids: &'a BTreeMap<RoomNumber, OwnedRoomId>,
    /// Rooms that the client gets as ones that it does not have.
    pub initial: &'a BTreeSet<RoomNumber>,
}

impl Sources<'_> {
    /// Whether the client has the room, with this answer.
    fn is_told(&self, room: RoomNumber) -> bool {
        self.initial.contains(&room) || self.connection.sent(room, self.came_with).is_some()
    }
}

/// News of rooms in a stream, by whether the client has what was before.
struct Streamed<'s, T> {
    scope: InScope,
    moved: BTreeMap<RoomNumber, T>,
    /// Whether the client has all up to its position.
    has: &'s dyn Fn(RoomNumber) -> bool,
}

impl<T> Streamed<'_, T> {
    fn told(mut self, sources: &Sources<'_>) -> (BTreeMap<RoomNumber, Part<T>>, BTreeSet<RoomNumber>) {
        let mut told = BTreeMap::new();
        for (room, mask) in joined(sources.windows) {
            if !self.scope.has(room, mask) || !sources.is_told(room) {
                continue;
            }
            let moved = self.moved.remove(&room);
            if sources.initial.contains(&room) || !(self.has)(room) {
                told.insert(room, Part::All);
            } else if let Some(moved) = moved {
                told.insert(room, Part::Changes(moved));
            }
        }
        let owed = self.moved.into_keys().filter(|room| (self.has)(*room)).collect();
        (told, owed)
    }
}

/// What is told beside rooms.
pub async fn beside(
    sources: &Sources<'_>,
    receipts: MovedReceipts,
    account_data: BTreeMap<RoomNumber, Vec<AccountDataItem>>,
    typing: Option<LivePosition>,
) -> Result<BesideRooms, StoreFault> {
    let Extensions { account_data: of_account_data, receipts: of_receipts, typing: of_typing, .. } =
        &sources.asked.request.extensions;
    let scope = |scope| InScope::new(scope, sources.asked, sources.ids);
    let sent = |room| sources.connection.sent(room, sources.came_with);
    let receipts = receipts.rooms;
    let mut beside = BesideRooms::default();
    let has = |room| sent(room).is_some_and(|sent| sent.receipts);
    match of_receipts {
        Some(of) => {
            let streamed = Streamed { scope: scope(of), moved: receipts, has: &has };
            (beside.receipts, beside.owed_receipts) = streamed.told(sources);
        }
        None => beside.owed_receipts = receipts.into_keys().filter(|room| has(*room)).collect(),
    }
    let has = |room| sent(room).is_some_and(|sent| sent.account_data);
    match of_account_data {
        Some(of) => {
            let streamed = Streamed { scope: scope(of), moved: account_data, has: &has };
            (beside.account_data, beside.owed_account_data) = streamed.told(sources);
        }
        None => beside.owed_account_data = account_data.into_keys().filter(|room| has(*room)).collect(),
    }
    if let Some(of) = of_typing {
        beside.typing = who_types(sources, &scope(of), typing).await?;
    }
    Ok(beside)
}

/// Who types in rooms where that changed, and in rooms that are new to the client.
async fn who_types(
    sources: &Sources<'_>,
    scope: &InScope,
    since: Option<LivePosition>,
) -> Result<BTreeMap<RoomNumber, String>, StoreFault> {
    let parts = &sources.context.shared.parts;
    let changed: Option<BTreeSet<RoomNumber>> = match since {
        Some(since) => parts.typing.rooms_changed_since(since).map(|rooms| rooms.into_iter().collect()),
        None => Some(BTreeSet::new()),
    };
    let snapshot = parts.db.snapshot();
    let mut told = BTreeMap::new();
    for (room, _) in joined(sources.windows).filter(|(room, mask)| scope.has(*room, *mask)) {
        let is_new = sources.initial.contains(&room);
        // After a restart the client may show somebody typing who has stopped since.
        let has_changed = !is_new && changed.as_ref().is_none_or(|changed| changed.contains(&room));
        if !has_changed && (!is_new || parts.typing.users(room).is_empty()) {
            continue;
        }
        let users = typing::users(&snapshot, &parts.typing, room, &sources.context.ignored).await?;
        if has_changed || !users.is_empty() {
            told.insert(room, typing::list(&users));
        }
    }
    Ok(told)
}

fn joined(windows: &Windows) -> impl Iterator<Item = (RoomNumber, Mask)> {
    let joined = windows.rooms().filter(|(listed, _)| listed.membership == ListedMembership::Joined);
    joined.map(|(listed, mask)| (listed.room, mask))
}
