//! What is stored for devices: every keyspace of this crate and the rows in them.
//!
//! Owns: the declarations, and nothing that reads or writes them.

use std::sync::Arc;

use plop_base::UnixMillis;
use plop_db::codec::Tail;
use plop_db::{Counter, Position, record};
use ruma::{OwnedDeviceId, OwnedUserId};

/// Whose messages: the user, the device, and when the device was made (`since` in its row), which tells it from an earlier device of
/// that id.
pub type Inbox = (OwnedUserId, OwnedDeviceId, Position);

plop_db::keyspaces! {
    pub const KEYSPACES;

    /// Messages that wait for a device, in the order of their arrival: the fields of [`Inbox`] and the message's own position. Written by
    /// sending; read by the device's sync; deleted when a sync token that covers them comes back, when there are too many, and by the
    /// sweep once the device is gone. Redactions do not touch it. What is here is counted in `to_device_bytes`.
    pub ToDeviceMessages = 140 "to_device_messages" Queue
        { (OwnedUserId, OwnedDeviceId, Position, Position) => ToDeviceRow } stream (OwnedUserId, OwnedDeviceId)

    /// How many bytes wait for a device. Written with every message that comes and goes; read by sending and by the sweep, for which it
    /// is the list of inboxes; deleted by the sweep once the device is gone. Redactions do not touch it.
    pub ToDeviceBytes = 141 "to_device_bytes" Counter { Inbox => Counter }

    /// Which requests to send messages have been done: the sender, its device (none for who acts without one), the type of the
    /// messages, the transaction id. Written with the messages; read when a request comes; deleted by the sweep after
    /// [`TRANSACTION_LIFETIME`](plop_rooms::schema::TRANSACTION_LIFETIME). Redactions do not touch it. The row of a device that is gone
    /// stays as long, and says nothing to a later device of that id.
    pub ToDeviceTransactions = 142 "to_device_transactions" Point
        { (OwnedUserId, Option<OwnedDeviceId>, String, String) => ToDeviceTransactionRow }
}

record! {
    /// A message that waits.
    pub struct ToDeviceRow = 1 {
        /// As clients get it: a JSON object of `type`, `sender` and `content`.
        pub event: Tail<Arc<str>>,
    }
}

record! {
    /// A request that has been done.
    pub struct ToDeviceTransactionRow = 1 {
        pub at: UnixMillis,
        /// Where it was committed: above `since` of the device that asked.
        pub position: Position,
    }
}
