//! Sending messages (client-server API, `PUT /sendToDevice/{eventType}/{txnId}`).
//!
//! Owns: who may send, that a repeated request sends nothing more, the batch. Does not own: which devices are reached
//! ([`super::outgoing`]).

use std::collections::BTreeSet;
use std::sync::Arc;

use plop_accounts::StoreError;
use plop_accounts::schema::Devices;
use plop_base::Actor;
use plop_db::codec::Tail;
use plop_db::{Batch, CommitError, Position, ReadError, Snapshot};
use ruma::{DeviceId, UserId};

use super::error::SendError;
use super::outgoing::{Delivery, Messages, Outgoing};
use super::room::{Room, Waiting};
use super::rows::{counted, done_at, key};
use super::{MAX_REQUEST_BYTES, MAX_TRANSACTION_ID_BYTES, MAX_TYPE_BYTES, ToDevice};
use crate::schema::{
    FullInboxes, ToDeviceBytes, ToDeviceMessages, ToDeviceRow, ToDeviceTransactionRow,
    ToDeviceTransactionTimes, ToDeviceTransactions, Transaction,
};

/// The first time the same request may be in flight; the second time it is there.
const ATTEMPTS: u32 = 3;

/// In whose name messages are sent.
struct Sender<'a> {
    user: &'a UserId,
    /// What the transaction id belongs to.
    device: Option<&'a DeviceId>,
    /// Not for the shadow-banned, who reach their own devices only.
    reaches_others: bool,
}

impl ToDevice {
    /// Sends messages of one type, once for each transaction id of the actor's device. Answers when they are on disk. Users and devices that
    /// are not there are passed over, and so are inboxes that are full.
    pub async fn send(
        &self,
        actor: &Actor,
        event_type: &str,
        transaction_id: &str,
        messages: &Messages,
    ) -> Result<(), SendError> {
        let sender = sender(actor)?;
        if !(1..=MAX_TYPE_BYTES).contains(&event_type.len()) {
            return Err(SendError::InvalidType);
        }
        if !(1..=MAX_TRANSACTION_ID_BYTES).contains(&transaction_id.len()) {
            return Err(SendError::InvalidTransactionId);
        }
        let mut outgoing = Outgoing::new(sender.user, event_type, messages, &self.0.server)?;
        if !sender.reaches_others {
            outgoing.only_for(sender.user);
        }
        let device = sender.device.map(ToOwned::to_owned);
        let transaction = (sender.user.to_owned(), device, event_type.to_owned(), transaction_id.to_owned());
        self.send_once(&transaction, &outgoing).await
    }

    async fn send_once(&self, transaction: &Transaction, outgoing: &Outgoing) -> Result<(), SendError> {
        let mut attempt = 1;
        loop {
            let snapshot = self.0.db.snapshot();
            let earlier = snapshot.get::<ToDeviceTransactions>(transaction).await?;
            if let Some(earlier) = &earlier
                && is_of_this_device(&snapshot, transaction, earlier).await?
            {
                return Ok(());
            }
            let deliveries = outgoing.deliveries(&snapshot).await?;
            let deliveries = with_room(&snapshot, deliveries).await?;
            drop(snapshot);
            match self.deliver(transaction, earlier.as_ref(), &deliveries).await {
                Err(SendError::Store(StoreError::Commit(CommitError::Conflict { .. })))
                    if attempt < ATTEMPTS =>
                {
                    // The same request came twice, and the first one's batch is in flight. Behind this commit its outcome stands.
                    self.0.db.commit(Batch::durable()).await?;
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    async fn deliver(
        &self,
        transaction: &Transaction,
        earlier: Option<&ToDeviceTransactionRow>,
        deliveries: &[(Delivery, Room)],
    ) -> Result<(), SendError> {
        let mut batch = Batch::durable();
        batch.expect::<ToDeviceTransactions>(transaction, earlier);
        if let Some(earlier) = earlier {
            batch.delete::<ToDeviceTransactionTimes>(&done_at(earlier.at, transaction));
        }
        let row = ToDeviceTransactionRow { at: self.0.clock.now(), position: Position::pending(0) };
        batch.put::<ToDeviceTransactions>(transaction, &row);
        batch.put::<ToDeviceTransactionTimes>(&done_at(row.at, transaction), &());
        let mut owners = Vec::with_capacity(deliveries.len());
        for (Delivery { inbox, event }, room) in deliveries {
            if *room != Room::Enough {
                batch.put::<FullInboxes>(inbox, &());
            }
            if *room == Room::None {
                continue;
            }
            let owner = (inbox.0.clone(), inbox.1.clone());
            let row = ToDeviceRow { event: Tail(Arc::clone(event)) };
            batch.add::<ToDeviceBytes>(inbox, counted(&row));
            batch.append::<ToDeviceMessages>(&owner, &key(inbox, Position::pending(0)), &row);
            owners.push(owner);
            if batch.size() > MAX_REQUEST_BYTES {
                return Err(SendError::RequestTooLarge);
            }
        }
        let known = Arc::clone(&self.0.known);
        let note = move |committed: &plop_db::Committed| known.note(&owners, committed.position);
        self.0.db.submit(batch, note).await?.await?;
        Ok(())
    }
}

/// Whether a request was done for the device that is there now, not for an earlier one of its id.
async fn is_of_this_device(
    snapshot: &Snapshot,
    (user, device, ..): &Transaction,
    done: &ToDeviceTransactionRow,
) -> Result<bool, ReadError> {
    let Some(device) = device else { return Ok(true) };
    let device = snapshot.get::<Devices>(&(user.clone(), device.clone())).await?;
    Ok(device.is_none_or(|device| device.since < done.position))
}

fn sender(actor: &Actor) -> Result<Sender<'_>, SendError> {
    let (user, device, reaches_others) = match actor {
        Actor::User { user, device } | Actor::Guest { user, device } => (user, Some(device), true),
        Actor::AppService { user, device, .. } => (user, device.as_ref(), true),
        Actor::AdminAs { user, .. } | Actor::ServerAs { user } => (user, None, true),
        Actor::ShadowBanned { user, device } => (user, Some(device), false),
        Actor::Server => return Err(SendError::NoUser),
    };
    Ok(Sender { user, device: device.map(AsRef::as_ref), reaches_others })
}

/// What room there is for each.
async fn with_room(
    snapshot: &Snapshot,
    deliveries: Vec<Delivery>,
) -> Result<Vec<(Delivery, Room)>, ReadError> {
    let users: BTreeSet<_> = deliveries.iter().map(|delivery| delivery.inbox.0.clone()).collect();
    let waiting = Waiting::of(snapshot, users).await?;
    let with_room = deliveries.into_iter().map(|delivery| {
        let room = waiting.room(&delivery.inbox);
        (delivery, room)
    });
    let with_room: Vec<_> = with_room.collect();
    let dropped = with_room.iter().filter(|(_, room)| *room == Room::None).count();
    if dropped > 0 {
        tracing::warn!(
            dropped,
            "messages to devices whose inbox is full, or all of their user's, were dropped"
        );
    }
    Ok(with_room)
}
