//! Account data: what clients keep for a user on the server (client-server API, "Client Config").
//!
//! Owns: the rows, the stream of changes, who may write which type. Does not own: what is in them, except tags
//! ([`crate::tags`]).
//!
//! Invariants: one row for each (room, type), whose place in the stream is that of its last change; a type that the server manages
//! changes through its own endpoints only. An empty object is what was deleted. Waiters on the user are woken by each change. All account data of a user is at most
//! [`MAX_ACCOUNT_DATA_ROWS`] rows and [`MAX_ACCOUNT_DATA_TOTAL_BYTES`], since a full /sync answer has it all.

use plop_base::Actor;
use plop_db::codec::Tail;
use plop_db::{Batch, Direction, Guard, KeyRange, Position, ReadError, Snapshot};
use ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId};
use serde_json::{Map, Value};

use crate::accounts::Accounts;
use crate::authority::{Forbidden, acting_for};
use crate::error::StoreError;
use crate::rows::all_rows;
use crate::schema::{
    AccountData, AccountDataChanges, AccountDataRow, AccountDataTotals, AccountDataTotalsRow, Users,
};

/// Largest content, in bytes of compact JSON: that of an event.
pub const MAX_ACCOUNT_DATA_BYTES: usize = 65_536;
/// Most pieces of account data of one user: a handful for each of some thousand rooms.
pub const MAX_ACCOUNT_DATA_ROWS: u32 = 50_000;
/// Most of all account data of one user together, in bytes. Clients keep some hundred bytes for a room.
pub const MAX_ACCOUNT_DATA_TOTAL_BYTES: u64 = 16 << 20;
/// Longest type: that of an event.
pub const MAX_TYPE_BYTES: usize = plop_base::limits::MAX_ID_BYTES;

/// The content of what was deleted (MSC3391): its row tells devices of the end, and is not told to those who start anew.
pub(crate) const DELETED: &str = "{}";

/// Types that have endpoints of their own (client-server API, "Client Config", server behaviour).
const SERVER_MANAGED: [&str; 2] = ["m.fully_read", "m.push_rules"];

/// One piece of account data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountDataItem {
    /// `None`: for the user as a whole.
    pub room: Option<OwnedRoomId>,
    pub kind: String,
    /// A JSON object.
    pub content: String,
    /// When it changed last.
    pub position: Position,
}

/// Changes of a user's account data, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountDataChangesPage {
    pub items: Vec<AccountDataItem>,
    /// Whether there are more.
    pub more: bool,
}

/// Why account data is not written.
#[derive(Debug, thiserror::Error)]
pub enum AccountDataError {
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// The type has endpoints of its own.
    #[error("account data of this type is managed by the server")]
    ServerManaged,
    #[error("the type is empty or longer than {MAX_TYPE_BYTES} bytes")]
    InvalidType,
    #[error("the content is larger than {MAX_ACCOUNT_DATA_BYTES} bytes")]
    TooLarge,
    /// What is there can be replaced by something that is not larger.
    #[error("the user has as much account data as may be kept")]
    Full,
    #[error("there is no such account")]
    NoAccount,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a piece of account data is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject<'a> {
    pub user: &'a UserId,
    pub room: Option<&'a RoomId>,
    pub kind: &'a str,
}

impl Subject<'_> {
    fn key(&self) -> (OwnedUserId, Option<OwnedRoomId>, String) {
        (self.user.to_owned(), self.room.map(ToOwned::to_owned), self.kind.to_owned())
    }
}

impl Accounts {
    /// Writes account data for a client.
    pub async fn set_account_data(
        &self,
        actor: &Actor,
        subject: &Subject<'_>,
        content: &Map<String, Value>,
    ) -> Result<(), AccountDataError> {
        if SERVER_MANAGED.contains(&subject.kind) {
            return Err(AccountDataError::ServerManaged);
        }
        self.set_managed_account_data(actor, subject, content).await
    }

    /// Writes account data for the endpoint that owns its type (read markers, push rules), or for a client.
    pub async fn set_managed_account_data(
        &self,
        actor: &Actor,
        subject: &Subject<'_>,
        content: &Map<String, Value>,
    ) -> Result<(), AccountDataError> {
        self.change_account_data(actor, subject, |_| Ok(content.clone())).await
    }

    /// What [`Accounts::set_managed_account_data`] would write, for a part that writes more in the same batch. It is to be committed under the guard.
    pub async fn prepare_account_data(
        &self,
        actor: &Actor,
        subject: &Subject<'_>,
        content: &Map<String, Value>,
    ) -> Result<(Batch, Guard), AccountDataError> {
        self.prepare_change(actor, subject, |_| Ok(content.clone())).await
    }

    /// Rewrites account data under the user's guard: `change` gets what is there.
    pub(crate) async fn change_account_data<E: From<AccountDataError>>(
        &self,
        actor: &Actor,
        subject: &Subject<'_>,
        change: impl FnOnce(Option<Map<String, Value>>) -> Result<Map<String, Value>, E>,
    ) -> Result<(), E> {
        let (batch, guard) = self.prepare_change(actor, subject, change).await?;
        let committed = self.parts().db.commit_under(guard, batch).await;
        committed.map_err(|error| AccountDataError::from(StoreError::from(error)))?;
        Ok(())
    }

    async fn prepare_change<E: From<AccountDataError>>(
        &self,
        actor: &Actor,
        subject: &Subject<'_>,
        change: impl FnOnce(Option<Map<String, Value>>) -> Result<Map<String, Value>, E>,
    ) -> Result<(Batch, Guard), E> {
        acting_for(actor, subject.user).map_err(AccountDataError::from)?;
        if !(1..=MAX_TYPE_BYTES).contains(&subject.kind.len()) {
            return Err(AccountDataError::InvalidType.into());
        }
        let key = subject.key();
        let user = key.0.clone();
        let guard = self.parts().user_guards.lock(user.as_str()).await;
        let (mut batch, existing, totals) = self.begin_change(&key).await?;
        // What cannot be parsed was not written by us: as if it were not there.
        let before = existing.as_ref().and_then(|row| serde_json::from_str(&row.content.0).ok());
        let content = Value::Object(change(before)?).to_string();
        if content.len() > MAX_ACCOUNT_DATA_BYTES {
            return Err(AccountDataError::TooLarge.into());
        }
        let before = existing.as_ref().map(|row| size(&key, &row.content.0));
        batch.put::<AccountDataTotals>(&user, &totals_after(&totals, before, size(&key, &content))?);
        if let Some(existing) = existing {
            batch.delete::<AccountDataChanges>(&(user.clone(), existing.position));
        }
        let position = Position::pending(0);
        batch.put::<AccountData>(&key, &AccountDataRow { position, content: Tail(content) });
        batch.append::<AccountDataChanges>(&user, &(user.clone(), position), &(key.1, key.2));
        Ok((batch, guard))
    }

    async fn begin_change(
        &self,
        key: &(OwnedUserId, Option<OwnedRoomId>, String),
    ) -> Result<(Batch, Option<AccountDataRow>, AccountDataTotalsRow), AccountDataError> {
        let snapshot = self.snapshot();
        let row = self.active_user(&snapshot, &key.0).await.map_err(StoreError::from)?;
        let row = row.ok_or(AccountDataError::NoAccount)?;
        let existing = snapshot.get::<AccountData>(key).await.map_err(StoreError::from)?;
        let totals = snapshot.get::<AccountDataTotals>(&key.0).await.map_err(StoreError::from)?;
        let mut batch = Batch::durable();
        batch.expect::<Users>(&key.0, Some(&row));
        batch.expect::<AccountData>(key, existing.as_ref());
        batch.expect::<AccountDataTotals>(&key.0, totals.as_ref());
        Ok((batch, existing, totals.unwrap_or(AccountDataTotalsRow { rows: 0, bytes: 0 })))
    }

    /// One piece of the actor's account data, as JSON text.
    pub async fn account_data(
        &self,
        actor: &Actor,
        subject: &Subject<'_>,
    ) -> Result<Option<String>, AccountDataError> {
        acting_for(actor, subject.user)?;
        let row = self.snapshot().get::<AccountData>(&subject.key()).await.map_err(StoreError::from)?;
        Ok(row.map(|row| row.content.0).filter(|content| content != DELETED))
    }

    /// Deletes account data. What is not there is deleted already.
    pub async fn delete_account_data(
        &self,
        actor: &Actor,
        subject: &Subject<'_>,
    ) -> Result<(), AccountDataError> {
        if SERVER_MANAGED.contains(&subject.kind) {
            return Err(AccountDataError::ServerManaged);
        }
        if self.account_data(actor, subject).await?.is_none() {
            return Ok(());
        }
        self.set_account_data(actor, subject, &Map::new()).await
    }
}

/// What a piece of account data counts.
pub(crate) fn size((_, room, kind): &(OwnedUserId, Option<OwnedRoomId>, String), content: &str) -> u64 {
    let room = room.as_ref().map_or(0, |room| room.as_str().len());
    (room + kind.len() + content.len()) as u64
}

/// The totals once a piece that counts `after` is where one was that counted `before`.
fn totals_after(
    totals: &AccountDataTotalsRow,
    before: Option<u64>,
    after: u64,
) -> Result<AccountDataTotalsRow, AccountDataError> {
    let rows = if before.is_some() { totals.rows } else { totals.rows.saturating_add(1) };
    let bytes = totals.bytes.saturating_sub(before.unwrap_or(0)).saturating_add(after);
    let too_much = (before.is_none() && rows > MAX_ACCOUNT_DATA_ROWS)
        || (bytes > totals.bytes && bytes > MAX_ACCOUNT_DATA_TOTAL_BYTES);
    if too_much { Err(AccountDataError::Full) } else { Ok(AccountDataTotalsRow { rows, bytes }) }
}

/// All account data of a user, or that of one room: what a full answer of /sync has. A row may be newer than the snapshot's
/// position.
pub async fn all_account_data(
    snapshot: &Snapshot,
    user: &UserId,
    room: Option<&RoomId>,
) -> Result<Vec<AccountDataItem>, ReadError> {
    let prefix = (user.to_owned(), room.map(ToOwned::to_owned));
    let rows = all_rows(snapshot, KeyRange::<AccountData>::prefix(&prefix)).await?;
    let present = rows.into_iter().filter(|(_, row)| row.content.0 != DELETED);
    Ok(present.map(|((_, room, kind), row)| item(room, kind, row)).collect())
}

/// What changed after one position, up to another one, at most `limit`. What changed again after `to` is left out: it comes with the
/// next frame.
pub async fn account_data_changes(
    snapshot: &Snapshot,
    user: &UserId,
    after: Position,
    to: Position,
    limit: usize,
) -> Result<AccountDataChangesPage, ReadError> {
    let user = user.to_owned();
    let range =
        KeyRange::<AccountDataChanges>::prefix(&user).after(&(user.clone(), after)).to(&(user.clone(), to));
    let page = snapshot.scan(range, Direction::Forward, limit).await?;
    let keys: Vec<_> = page.rows.into_iter().map(|(_, (room, kind))| (user.clone(), room, kind)).collect();
    let rows = snapshot.get_many::<AccountData>(&keys).await?;
    let items = keys.into_iter().zip(rows);
    let items = items.filter_map(|((_, room, kind), row)| Some(item(room, kind, row?))).collect();
    Ok(AccountDataChangesPage { items, more: page.more })
}

fn item(room: Option<OwnedRoomId>, kind: String, row: AccountDataRow) -> AccountDataItem {
    AccountDataItem { room, kind, content: row.content.0, position: row.position }
}
