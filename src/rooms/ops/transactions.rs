//! Transaction ids: a repeated request gets the first one's answer (client-server API, "Transaction identifiers").
//!
//! Owns: [`Transaction`], the scope of an id, its look-up and its row; forgetting old rows. Does not own: what is sent.
//!
//! Invariants: an id is valid for the device and the endpoint with its path parameters; a later device of the same id is another one. The
//! row is committed with the event, and while that is in flight the event itself tells. One who is shadow-banned has the row alone.

use plop_accounts::schema::Devices;
use plop_base::Actor;
use plop_base::clock::UnixMillis;
use plop_db::{Batch, Db, KeyRange, Pages, Position, Snapshot};
use ruma::{EventId, OwnedEventId, RoomId, UserId};

use crate::fault::StoreFault;
use crate::operation::Operation;
use crate::ops::refusal::{Guests, Refusal, check_length, sender};
use crate::rooms::Rooms;
use crate::schema::{SentBy, TRANSACTION_LIFETIME, TransactionKey, TransactionRow, Transactions};

/// Rows looked at in one page.
const PAGE: usize = 1000;

/// What makes two requests the same one.
pub struct Transaction {
    key: TransactionKey,
    kind: String,
    redacts: Option<OwnedEventId>,
    is_delayed: bool,
}

/// What delayed events have in the place of a device: theirs may be gone when they are sent.
const NO_DEVICE: &str = "";

/// What an event keeps of the request that sent it.
pub(super) fn sent_by(actor: &Actor, transaction: Option<&Transaction>) -> Option<SentBy> {
    match transaction {
        Some(transaction) if transaction.is_delayed || !transaction.key.device.is_empty() => {
            Some(transaction.sent_by())
        }
        _ => actor.device_id().map(|device| SentBy { device: device.to_string(), transaction: None }),
    }
}

impl Transaction {
    /// Sending an event of a type into a room.
    ///
    /// # Errors
    /// `IdTooLong`.
    pub fn of_send(
        actor: &Actor,
        user: &UserId,
        room: &RoomId,
        kind: &str,
        id: &str,
    ) -> Result<Self, Refusal> {
        check_length("event type", kind)?;
        Self::new(actor, user, format!("send/{room}/{kind}"), id, kind, None)
    }

    /// Sending an event that was scheduled, by its name: no request's, so that no client can choose it.
    ///
    /// # Errors
    /// `IdTooLong`.
    pub fn of_delayed(user: &UserId, room: &RoomId, kind: &str, name: &str) -> Result<Self, Refusal> {
        check_length("event type", kind)?;
        check_length("transaction id", name)?;
        let key = TransactionKey {
            user: user.to_owned(),
            device: NO_DEVICE.to_owned(),
            endpoint: format!("delayed/{room}/{kind}"),
            transaction: name.to_owned(),
        };
        Ok(Self { key, kind: kind.to_owned(), redacts: None, is_delayed: true })
    }

    /// Redacting an event of a room.
    ///
    /// # Errors
    /// `IdTooLong`.
    pub fn of_redact(
        actor: &Actor,
        user: &UserId,
        room: &RoomId,
        target: &EventId,
        id: &str,
    ) -> Result<Self, Refusal> {
        Self::new(
            actor,
            user,
            format!("redact/{room}/{target}"),
            id,
            "m.room.redaction",
            Some(target.to_owned()),
        )
    }

    fn new(
        actor: &Actor,
        user: &UserId,
        endpoint: String,
        id: &str,
        kind: &str,
        redacts: Option<OwnedEventId>,
    ) -> Result<Self, Refusal> {
        check_length("transaction id", id)?;
        let device = scope(actor);
        let key = TransactionKey { user: user.to_owned(), device, endpoint, transaction: id.to_owned() };
        Ok(Self { key, kind: kind.to_owned(), redacts, is_delayed: false })
    }

    fn sent_by(&self) -> SentBy {
        SentBy { device: self.key.device.clone(), transaction: Some(self.key.transaction.clone()) }
    }

    /// The event that the first of the requests made.
    pub async fn answered(&self, operation: &Operation<'_>) -> Result<Option<OwnedEventId>, StoreFault> {
        let in_flight = operation.pending().find(|event| {
            let sent_by = event.facts.sent_by.as_ref();
            event.pdu.sender() == self.key.user
                && event.pdu.type_name() == self.kind
                && (self.redacts.is_none() || event.pdu.redacts() == self.redacts.as_deref())
                && sent_by.is_some_and(|by| {
                    by.device == self.key.device && by.transaction.as_deref() == Some(&*self.key.transaction)
                })
        });
        if let Some(event) = in_flight {
            return Ok(Some(event.pdu.event_id_owned().clone()));
        }
        self.recorded(operation.snapshot()).await
    }

    /// The same of what is on disk.
    async fn recorded(&self, snapshot: &Snapshot) -> Result<Option<OwnedEventId>, StoreFault> {
        let Some(row) = snapshot.get::<Transactions>(&self.key).await? else { return Ok(None) };
        let device = (self.key.user.clone(), self.key.device.as_str().into());
        let device = snapshot.get::<Devices>(&device).await?;
        // Else the client of an earlier device of that id was answered.
        Ok(device.is_none_or(|device| device.since < row.position).then_some(row.event_id))
    }

    /// Remembers the answer, together with the event.
    pub fn record(&self, operation: &mut Operation<'_>, event: &EventId) {
        let row = TransactionRow {
            event_id: event.to_owned(),
            at: operation.core().clock.now(),
            position: Position::pending(0),
        };
        operation.batch().put::<Transactions>(&self.key, &row);
    }
}

/// What stands for the device in the scope of an id: an administrator who acts as somebody has one of their own, who else has no device shares one.
fn scope(actor: &Actor) -> String {
    match actor {
        Actor::AdminAs { admin, .. } => admin.to_string(),
        Actor::User { .. }
        | Actor::AppService { .. }
        | Actor::Guest { .. }
        | Actor::ShadowBanned { .. }
        | Actor::Server
        | Actor::ServerAs { .. } => actor.device_id().map_or_else(String::new, ToString::to_string),
    }
}

impl Rooms {
    /// What a delayed event became, as [`Rooms::send_delayed`] would answer.
    ///
    /// # Errors
    /// `IdTooLong`, `NoUser`.
    pub async fn answer_of_delayed(
        &self,
        actor: &Actor,
        room: &RoomId,
        kind: &str,
        name: &str,
    ) -> Result<Option<OwnedEventId>, Refusal> {
        let transaction = Transaction::of_delayed(sender(actor, Guests::May)?, room, kind, name)?;
        Ok(transaction.recorded(&self.core().db.snapshot()).await?)
    }
}

/// Forgets ids older than [`TRANSACTION_LIFETIME`]. To be run now and then.
pub async fn forget_old(db: &Db, now: UnixMillis) -> Result<(), StoreFault> {
    let mut pages = Pages::new(KeyRange::<Transactions>::all(), PAGE);
    // Each page is read from a snapshot of its own: the walk may take long.
    while let Some(rows) = pages.next(&db.snapshot()).await? {
        let mut batch = Batch::relaxed();
        for (key, row) in rows {
            if now.since(row.at) > TRANSACTION_LIFETIME {
                batch.delete::<Transactions>(&key);
            }
        }
        if !batch.is_empty() {
            db.commit(batch).await?;
        }
    }
    Ok(())
}
