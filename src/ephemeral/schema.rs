//! What is stored of what comes and goes: every keyspace of this crate and the rows in them.
//!
//! Owns: the declarations, and nothing that reads or writes them. Typing is not here: it is never stored. "Deleted with the room" is for the
//! operation that deletes rooms: there is none yet.

use plop_base::UnixMillis;
use plop_db::codec::{Codec, CodecError, Decoder, Encoder};
use plop_db::{Position, record, tags};
use plop_state_store::{EventNumber, RoomNumber};
use ruma::{OwnedEventId, OwnedUserId};

plop_db::keyspaces! {
    pub const KEYSPACES;

    /// Up to where a user has read: one row for each room, user, kind and thread. Written relaxed by receipts; read by sync, unread
    /// counts and the federation sender; deleted with the room. Redactions do not touch it. Its event never moves back in
    /// arrival order, and `position` names its row in `receipt_changes` or, if private, `private_receipt_changes`.
    pub ReceiptRows = 130 "receipts" Scan { (RoomNumber, OwnedUserId, ReceiptKind, Thread) => ReceiptRow }

    /// When which public receipt of a room changed: one row for each, moved to its newest position. Written and deleted with `receipts`; read
    /// by sync and the federation sender. Redactions do not touch it. No private receipt is ever in it.
    pub ReceiptChanges = 131 "receipt_changes" Scan
        { (RoomNumber, Position) => (OwnedUserId, Thread) } stream RoomNumber

    /// When which private receipt of a user changed, in all rooms: one row for each, moved to its newest position. Written and deleted with
    /// `receipts`; read by the user's own sync only. Redactions do not touch it.
    pub PrivateReceiptChanges = 132 "private_receipt_changes" Scan
        { (OwnedUserId, Position) => (RoomNumber, Thread) } stream OwnedUserId

    /// What was last known of a user who is not there. Written relaxed and seldom by presence; read by presence when the user is not in
    /// memory; deleted with the next rows that are written after the account has ended (a crash before that leaves it, and nobody who
    /// could read it). Redactions do not touch it. Whoever is there after a restart is found out anew.
    pub LastPresence = 133 "last_presence" Point { OwnedUserId => PresenceRow }
}

tags! {
    /// Who gets to know of a receipt.
    pub enum ReceiptKind {
        /// `m.read`: everyone in the room.
        Public = 1,
        /// `m.read.private`: nobody but the user.
        Private = 2,
    }
}

/// What part of a room a receipt is about (client-server API, "Threaded read receipts").
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Thread {
    /// The room, regardless of threads.
    Unthreaded,
    /// Events in no thread.
    Main,
    /// The thread of this root.
    Root(OwnedEventId),
}

impl Codec for Thread {
    fn encode(&self, out: &mut Encoder) {
        match self {
            Self::Unthreaded => out.byte(0),
            Self::Main => out.byte(1),
            Self::Root(root) => {
                out.byte(2);
                root.encode(out);
            }
        }
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CodecError> {
        match input.byte()? {
            0 => Ok(Self::Unthreaded),
            1 => Ok(Self::Main),
            2 => OwnedEventId::decode(input).map(Self::Root),
            _ => Err(CodecError::Invalid("Thread")),
        }
    }
}

record! {
    /// Up to where a user has read.
    pub struct ReceiptRow = 1 {
        /// When the receipt changed last.
        pub position: Position,
        pub event: EventNumber,
        /// The event's id, so that sending a receipt does not read the event.
        pub event_id: OwnedEventId,
        /// When the event arrived: what "further" means.
        pub arrival: Position,
        /// When it was read, for clients.
        pub at: UnixMillis,
    }
}

record! {
    /// What is kept of a user who is not there.
    pub struct PresenceRow = 1 {
        pub last_active: UnixMillis,
        pub status_msg: Option<String>,
    }
}
