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

/// The user, the device, the type, the transaction id.
pub type Transaction = (OwnedUserId, Option<OwnedDeviceId>, String, String);

plop_db::keyspaces! {
    pub const KEYSPACES;

    /// Messages that wait for a device, in the order of their arrival: the fields of [`Inbox`] and the message's own position. Written by
    /// sending; read by the device's sync; deleted when a sync token that covers them comes back, when there are too many, and by the
    /// sweep some minutes after the device ended. Redactions do not touch it. What is here is counted in `to_device_bytes`.
    pub ToDeviceMessages = 140 "to_device_messages" Queue
        { (OwnedUserId, OwnedDeviceId, Position, Position) => ToDeviceRow } stream (OwnedUserId, OwnedDeviceId)

    /// How many bytes wait for a device. Written with every message that comes and goes; read by sending and by the sweep; deleted with the messages
    /// when the device ended. Redactions do not touch it.
    pub ToDeviceBytes = 141 "to_device_bytes" Counter { Inbox => Counter }

    /// Which requests to send messages have been done: the sender, its device (none for who acts without one), the type of the
    /// messages, the transaction id. Written with the messages; read when a request comes; deleted by the sweep after
    /// [`TRANSACTION_LIFETIME`](plop_rooms::schema::TRANSACTION_LIFETIME). Redactions do not touch it. The row of a device that is gone
    /// stays as long, and says nothing to a later device of that id.
    pub ToDeviceTransactions = 142 "to_device_transactions" Point { Transaction => ToDeviceTransactionRow }

    /// When which of these requests was done: the time, then its fields. Written and deleted with its row; read by the sweep. Redactions do not touch it.
    pub ToDeviceTransactionTimes = 143 "to_device_transaction_times" Queue
        { (UnixMillis, OwnedUserId, Option<OwnedDeviceId>, String, String) => () }

    /// Inboxes that hold so much that the oldest messages go. Written with a message that an inbox takes when it holds so much; read by the sweep, and
    /// deleted when that is done. Redactions do not touch it.
    pub FullInboxes = 144 "full_inboxes" Queue { Inbox => () }
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
