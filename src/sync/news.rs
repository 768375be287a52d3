//! What is new since the client's position, room by room and stream by stream.
//!
//! Owns: which rooms have something new, found in memory where it is remembered and in the database where it is not; what is read by user rather than
//! by room. Does not own: what the news are.
//!
//! Invariants: a stream without changes of this user costs no read.

use std::collections::{BTreeMap, BTreeSet};

use plop_accounts::account_data::AccountDataItem;
use plop_db::{Db, Keyspace, Position, ReadError};
use plop_ephemeral::receipts::Receipt;
use plop_rooms::schema::RoomIds;
use plop_state_store::RoomNumber;
use ruma::{OwnedRoomId, OwnedUserId, UserId};

use crate::changes::{Log, Logs};
use crate::last_changes::LastChanges;
use crate::memberships::UserRoomSet;
use crate::shared::{Parts, Shared};
use crate::token::SyncToken;
use crate::{account_data, presence, receipts};

/// What is new in a room.
#[derive(Debug, Default)]
pub struct RoomNews {
    pub events: bool,
    pub receipts: bool,
    pub typing: bool,
    /// The user's own.
    pub private_receipts: Vec<Receipt>,
    pub account_data: Vec<AccountDataItem>,
}

/// What is new for a user.
#[derive(Debug, Default)]
pub struct News {
    /// Joined rooms with something new; of others only account data.
    pub rooms: BTreeMap<RoomNumber, RoomNews>,
    /// The user's account data that belongs to no room.
    pub account_data: Vec<AccountDataItem>,
    /// Users who share a room, and whose presence changed.
    pub presence: BTreeSet<OwnedUserId>,
}

impl News {
    async fn take_account_data(&mut self, db: &Db, changed: Vec<AccountDataItem>) -> Result<(), ReadError> {
        let (of_rooms, global): (Vec<_>, Vec<_>) = changed.into_iter().partition(|item| item.room.is_some());
        self.account_data.extend(global);
        let ids: BTreeSet<OwnedRoomId> = of_rooms.iter().filter_map(|item| item.room.clone()).collect();
        let ids: Vec<OwnedRoomId> = ids.into_iter().collect();
        let numbers = db.snapshot().get_many::<RoomIds>(&ids).await?;
        let numbers: BTreeMap<OwnedRoomId, Option<RoomNumber>> = ids.into_iter().zip(numbers).collect();
        for item in of_rooms {
            // There may be account data of a room that this server does not know.
            let number = item.room.as_ref().and_then(|id| numbers.get(id).copied().flatten());
            if let Some(room) = number {
                self.rooms.entry(room).or_default().account_data.push(item);
            }
        }
        Ok(())
    }
}

/// The span to look at.
#[derive(Clone, Copy)]
pub struct Since<'a> {
    pub user: &'a UserId,
    pub token: SyncToken,
    pub to: Position,
    pub with_presence: bool,
}

/// What is new since a token.
pub async fn since(shared: &Shared, span: Since<'_>, rooms: &UserRoomSet) -> Result<News, ReadError> {
    let Since { user, token, to, .. } = span;
    let since = token.position;
    let mut news = News::default();
    for room in rooms_with_events(shared, rooms, since).await? {
        news.rooms.entry(room).or_default().events = true;
    }
    for room in
        changed(shared, (rooms, |_| true), since, |logs| &logs.receipts, &shared.last_receipts).await?
    {
        news.rooms.entry(room).or_default().receipts = true;
    }
    let Parts { db, typing, .. } = &shared.parts;
    let typing = typing.rooms_changed_since(token.typing);
    // After a restart the client may show somebody typing who has stopped since.
    for room in typing.unwrap_or_else(|| rooms.joined.keys().copied().collect()) {
        if rooms.joined.contains_key(&room) {
            news.rooms.entry(room).or_default().typing = true;
        }
    }
    let (account_data_changed, receipts_changed) = {
        let (changes, _) = shared.changes.now();
        let user = user.to_owned();
        let account_data = changes.logs.account_data.may_have_changed(&user, since);
        (account_data, changes.logs.private_receipts.may_have_changed(&user, since))
    };
    if receipts_changed {
        for receipt in receipts::private_changes(&db.snapshot(), user, since, to).await? {
            if rooms.joined.contains_key(&receipt.room) {
                news.rooms.entry(receipt.room).or_default().private_receipts.push(receipt);
            }
        }
    }
    if account_data_changed {
        let changed = account_data::changes(&db.snapshot(), user, since, to).await?;
        news.take_account_data(db, changed).await?;
    }
    if span.with_presence {
        let reader = (user, rooms);
        news.presence =
            presence::changed(&shared.presence_rooms, shared.sources(), token.presence, reader).await?;
    }
    Ok(news)
}

/// The joined rooms that have new events.
pub async fn rooms_with_events(
    shared: &Shared,
    rooms: &UserRoomSet,
    since: Position,
) -> Result<Vec<RoomNumber>, ReadError> {
    changed(shared, (rooms, |_| true), since, |logs| &logs.events, &shared.last_events).await
}

/// The joined rooms, of those that are asked about, in which a stream has something new. What is not remembered is asked of the database,
/// each room once for all who have it.
pub async fn changed<K: Keyspace<Key = (RoomNumber, Position)>>(
    shared: &Shared,
    (rooms, is_asked): (&UserRoomSet, impl Fn(&RoomNumber) -> bool),
    since: Position,
    log: fn(&Logs) -> &Log<RoomNumber>,
    last: &LastChanges<K>,
) -> Result<Vec<RoomNumber>, ReadError> {
    let (mut changed, unknown) = {
        let (changes, _) = shared.changes.now();
        let log = log(&changes.logs);
        match rooms.joined_of(log, since) {
            Some(changed) => (changed.into_iter().filter(is_asked).collect(), Vec::new()),
            None => last.sort(log, rooms.joined.keys().filter(|room| is_asked(room)), since),
        }
    };
    if !unknown.is_empty() {
        changed.extend(last.ask(&shared.parts.db.snapshot(), unknown, since).await?);
    }
    Ok(changed)
}
