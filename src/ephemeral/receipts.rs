//! Read receipts (client-server API, "Receipts"): `m.read` and `m.read.private`, threaded or not.
//!
//! Owns: the rows, the streams of changes, that a receipt never moves back, that the fully read marker of the same request moves with it. Does not
//! own: that marker (account data), whether the event is there and belongs to the thread (the edge asks rooms), unread counts.
//!
//! Invariants: one receipt for each room, user, kind and thread, whose place in its stream is that of its last change; a private one is
//! in no answer but the user's own. Writes are relaxed: a client repeats a receipt that a power cut took by reading on.

use plop_accounts::Accounts;
use plop_accounts::account_data::{AccountDataError, Subject};
use plop_base::{Actor, UnixMillis};
use plop_db::{Batch, CommitError, Db, Direction, Guard, Guards, KeyRange, Position, ReadError, Snapshot};
use plop_state_store::{EventNumber, RoomNumber};
use ruma::{EventId, OwnedEventId, OwnedUserId, RoomId, UserId};
use serde_json::Map;

use crate::authority::{Forbidden, is_seen_as};
use crate::schema::{PrivateReceiptChanges, ReceiptChanges, ReceiptKind, ReceiptRow, ReceiptRows, Thread};

/// Receipts of one call: `/read_markers` sets two.
pub const MAX_RECEIPTS_AT_ONCE: usize = 100;

/// The type of account data that holds the fully read marker.
const FULLY_READ: &str = "m.fully_read";

/// A user has read up to here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewReceipt {
    pub kind: ReceiptKind,
    pub thread: Thread,
    pub event: EventNumber,
    pub event_id: OwnedEventId,
    /// When the event arrived in the room.
    pub arrival: Position,
    /// When it was read.
    pub at: UnixMillis,
}

/// Up to where a user has read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub room: RoomNumber,
    pub user: OwnedUserId,
    pub kind: ReceiptKind,
    pub thread: Thread,
    /// With the event and when it was read.
    pub row: ReceiptRow,
}

/// Receipts in the order of the scan that found them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptPage {
    pub receipts: Vec<Receipt>,
    /// Whether there are more.
    pub more: bool,
}

/// Why a receipt is not written.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    #[error("more than {MAX_RECEIPTS_AT_ONCE} receipts at once")]
    TooMany,
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The fully read marker is not written, so nothing is.
    #[error(transparent)]
    FullyRead(#[from] AccountDataError),
}

/// The only writer of receipts.
pub struct Receipts {
    db: Db,
    /// One user's receipts are written one call after the other.
    guards: Guards,
}

impl Receipts {
    pub fn new(db: Db) -> Self {
        Self { db, guards: Guards::default() }
    }

    /// Moves the user's receipts in a room to these events, all in one batch. One that is there already, or further, stays. Says how many
    /// moved.
    pub async fn set(
        &self,
        actor: &Actor,
        room: RoomNumber,
        user: &UserId,
        receipts: &[NewReceipt],
    ) -> Result<usize, ReceiptError> {
        let mut batch = Batch::relaxed();
        let (moved, guard) = self.stage(actor, room, user, receipts, &mut batch).await?;
        if moved > 0 {
            self.db.commit_under(guard, batch).await?;
        }
        Ok(moved)
    }

    /// The same with the fully read marker, which is account data of the room: both or none.
    pub async fn set_with_fully_read(
        &self,
        accounts: &Accounts,
        actor: &Actor,
        (number, room): (RoomNumber, &RoomId),
        user: &UserId,
        (receipts, fully_read): (&[NewReceipt], &EventId),
    ) -> Result<(), ReceiptError> {
        let content = Map::from_iter([("event_id".to_owned(), fully_read.as_str().into())]);
        let subject = Subject { user, room: Some(room), kind: FULLY_READ };
        // The guard of the account comes first.
        let (mut batch, of_account) = accounts.prepare_account_data(actor, &subject, &content).await?;
        let (_, of_receipts) = self.stage(actor, number, user, receipts, &mut batch).await?;
        self.db.commit_under((of_account, of_receipts), batch).await?;
        Ok(())
    }

    /// Puts what moves into a batch, which is to be committed under the guard.
    async fn stage(
        &self,
        actor: &Actor,
        room: RoomNumber,
        user: &UserId,
        receipts: &[NewReceipt],
        batch: &mut Batch,
    ) -> Result<(usize, Guard), ReceiptError> {
        if receipts.len() > MAX_RECEIPTS_AT_ONCE {
            return Err(ReceiptError::TooMany);
        }
        // What a shadow-banned user has read is shown to nobody else.
        let is_seen = is_seen_as(actor, user)?;
        let mut wanted: Vec<&NewReceipt> =
            receipts.iter().filter(|new| is_seen || new.kind == ReceiptKind::Private).collect();
        // Of several for one row the furthest counts.
        wanted.sort_by(|a, b| (a.kind, &a.thread, b.arrival).cmp(&(b.kind, &b.thread, a.arrival)));
        wanted.dedup_by(|later, kept| (later.kind, &later.thread) == (kept.kind, &kept.thread));
        let user = user.to_owned();
        let keys: Vec<_> =
            wanted.iter().map(|new| (room, user.clone(), new.kind, new.thread.clone())).collect();

        let guard = self.guards.lock(user.as_str()).await;
        let present = self.db.snapshot().get_many::<ReceiptRows>(&keys).await?;
        let mut moved: u32 = 0;
        for ((key, new), before) in keys.into_iter().zip(wanted).zip(present) {
            if before.as_ref().is_some_and(|before| before.arrival >= new.arrival) {
                continue;
            }
            batch.expect::<ReceiptRows>(&key, before.as_ref());
            let position = Position::pending(moved);
            moved += 1;
            let (_, user, kind, thread) = &key;
            match kind {
                ReceiptKind::Public => {
                    if let Some(before) = &before {
                        batch.delete::<ReceiptChanges>(&(room, before.position));
                    }
                    batch.append::<ReceiptChanges>(&room, &(room, position), &(user.clone(), thread.clone()));
                }
                ReceiptKind::Private => {
                    if let Some(before) = &before {
                        batch.delete::<PrivateReceiptChanges>(&(user.clone(), before.position));
                    }
                    let place = (user.clone(), position);
                    batch.append::<PrivateReceiptChanges>(user, &place, &(room, thread.clone()));
                }
            }
            let NewReceipt { event, event_id, arrival, at, .. } = new.clone();
            batch.put::<ReceiptRows>(&key, &ReceiptRow { position, event, event_id, arrival, at });
        }
        Ok((moved as usize, guard))
    }
}

/// Public receipts of a room that changed after one position, up to another one, oldest first. What changed again after `to` is left out: it
/// comes with the next frame.
pub async fn changes(
    snapshot: &Snapshot,
    room: RoomNumber,
    after: Position,
    to: Position,
    limit: usize,
) -> Result<ReceiptPage, ReadError> {
    let range = KeyRange::<ReceiptChanges>::prefix(&room).after(&(room, after)).to(&(room, to));
    public_page(snapshot, room, range, Direction::Forward, limit).await
}

/// The public receipts of a room that changed last, newest first: the full answer, as far as `limit` goes.
pub async fn newest(
    snapshot: &Snapshot,
    room: RoomNumber,
    to: Position,
    limit: usize,
) -> Result<ReceiptPage, ReadError> {
    let range = KeyRange::<ReceiptChanges>::prefix(&room).to(&(room, to));
    public_page(snapshot, room, range, Direction::Backward, limit).await
}

async fn public_page(
    snapshot: &Snapshot,
    room: RoomNumber,
    range: KeyRange<ReceiptChanges>,
    direction: Direction,
    limit: usize,
) -> Result<ReceiptPage, ReadError> {
    let page = snapshot.scan(range, direction, limit).await?;
    let keys = page.rows.into_iter().map(|(_, (user, thread))| (room, user, ReceiptKind::Public, thread));
    Ok(ReceiptPage { receipts: named(snapshot, keys.collect()).await?, more: page.more })
}

/// A user's private receipts that changed after one position, up to another one, in all rooms, oldest first: for that user only.
pub async fn private_changes(
    snapshot: &Snapshot,
    user: &UserId,
    after: Position,
    to: Position,
    limit: usize,
) -> Result<ReceiptPage, ReadError> {
    let user = user.to_owned();
    let range = KeyRange::<PrivateReceiptChanges>::prefix(&user);
    let range = range.after(&(user.clone(), after)).to(&(user.clone(), to));
    let page = snapshot.scan(range, Direction::Forward, limit).await?;
    let keys = page.rows.into_iter().map(|(_, (room, thread))| {
        let kind = ReceiptKind::Private;
        (room, user.clone(), kind, thread)
    });
    Ok(ReceiptPage { receipts: named(snapshot, keys.collect()).await?, more: page.more })
}

/// A user's own receipts in a room, of both kinds, at most `limit`: for that user only, and for unread counts. In the order of
/// kind and thread.
pub async fn own(
    snapshot: &Snapshot,
    room: RoomNumber,
    user: &UserId,
    limit: usize,
) -> Result<ReceiptPage, ReadError> {
    let range = KeyRange::<ReceiptRows>::prefix(&(room, user.to_owned()));
    let page = snapshot.scan(range, Direction::Forward, limit).await?;
    let receipts = page.rows.into_iter().map(|(key, row)| receipt(key, row)).collect();
    Ok(ReceiptPage { receipts, more: page.more })
}

type Key = (RoomNumber, OwnedUserId, ReceiptKind, Thread);

/// The receipts of these keys; one that is gone (its room was deleted) is left out.
async fn named(snapshot: &Snapshot, keys: Vec<Key>) -> Result<Vec<Receipt>, ReadError> {
    let rows = snapshot.get_many::<ReceiptRows>(&keys).await?;
    Ok(keys.into_iter().zip(rows).filter_map(|(key, row)| Some(receipt(key, row?))).collect())
}

fn receipt((room, user, kind, thread): Key, row: ReceiptRow) -> Receipt {
    Receipt { room, user, kind, thread, row }
}
