//! To-device messages (client-server API, "Send-to-Device messaging"): from a device to others, once each, stored until they are
//! delivered.
//!
//! Owns: [`ToDevice`], the only writer of messages, and the reading of them. Does not own: which of them a client has got (sync
//! acknowledges with the position of the token that came back), users of other servers.
//!
//! A device's messages are its inbox. What may be in it is bounded: a message has at most [`MAX_MESSAGE_BYTES`], a request reaches at most
//! [`MAX_MESSAGES`] devices with at most [`MAX_REQUEST_BYTES`] together, and an inbox takes nothing more while it holds
//! [`MAX_INBOX_BYTES`], or all inboxes of its user [`MAX_USER_BYTES`]: what comes then is dropped, as for a device that is not there. The
//! [sweep](ToDevice::sweep) makes room by dropping the oldest messages of an inbox down to [`KEPT_INBOX_BYTES`], and of a user's fullest inboxes
//! until all hold [`KEPT_USER_BYTES`], because a device that was away for long can get old keys from a backup, and needs the new ones.
//!
//! Invariants: messages of one request are in the store all or none, together with the row of its transaction; the order of an inbox is the
//! order of commits; a message is for the device that was there when it was sent.

mod acknowledging;
mod error;
mod inboxes;
mod outgoing;
mod reading;
mod room;
mod rows;
mod sending;
mod sweep;

use std::sync::Arc;

use plop_base::Clock;
use plop_db::{Db, Guards};
use ruma::OwnedServerName;

pub use error::SendError;
use inboxes::KnownInboxes;
pub use outgoing::Messages;
pub use reading::{MAX_PAGE_MESSAGES, ToDevicePage, to_device_messages};
pub(crate) use rows::done_at;

/// Largest message, in bytes of the JSON that clients get: that of an event, so that it fits into a federation transaction too.
pub const MAX_MESSAGE_BYTES: usize = plop_base::limits::MAX_PDU_BYTES;
/// Longest type of a message, in bytes: that of an event.
pub const MAX_TYPE_BYTES: usize = plop_base::limits::MAX_ID_BYTES;
/// Longest transaction id, in bytes. Clients use a counter, a timestamp or a UUID.
pub const MAX_TRANSACTION_ID_BYTES: usize = 255;
/// Most devices that one request reaches. Clients send keys to some hundreds at once, bridges to all of a room.
pub const MAX_MESSAGES: usize = 5_000;
/// Most that one request stores, in bytes: half of what a batch may hold.
pub const MAX_REQUEST_BYTES: usize = plop_db::MAX_BATCH_BYTES / 2;
/// Most that waits for one device, in bytes; some 30,000 room keys.
pub const MAX_INBOX_BYTES: i64 = 64 << 20;
/// What the sweep leaves of an inbox, in bytes.
pub const KEPT_INBOX_BYTES: i64 = MAX_INBOX_BYTES / 2;
/// Most that waits for all devices of one user, in bytes: that of eight full inboxes, more than anybody has devices in use. With the limit
/// of an inbox alone, who makes as many devices as they may could fill 32 GB with messages to themselves.
pub const MAX_USER_BYTES: i64 = 8 * MAX_INBOX_BYTES;
/// What the sweep leaves of a user's inboxes together, in bytes.
pub const KEPT_USER_BYTES: i64 = MAX_USER_BYTES / 2;

/// To-device messages of one server. Cheap to clone.
#[derive(Clone)]
pub struct ToDevice(Arc<Parts>);

struct Parts {
    db: Db,
    clock: Clock,
    server: OwnedServerName,
    /// By recipient: what is deleted is counted once.
    deleting: Guards,
    known: Arc<KnownInboxes>,
}

impl ToDevice {
    pub fn new(db: Db, clock: Clock, server: OwnedServerName) -> Self {
        let (deleting, known) = Default::default();
        Self(Arc::new(Parts { db, clock, server, deleting, known }))
    }
}
