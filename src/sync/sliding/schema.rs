//! What is stored of the connections of sliding sync: every keyspace of this crate and the rows in them.
//!
//! Owns: the declarations, and nothing that reads or writes them.
//!
//! Invariants: all of it may go at any time: a client whose connection is not known begins again.

use plop_accounts::schema::{DeviceEnd, DeviceEnds};
use plop_base::UnixMillis;
use plop_db::{Position, record};
use plop_state_store::RoomNumber;
use ruma::{OwnedDeviceId, OwnedUserId};

use super::required_state::StateWishes;

/// A connection that was begun once: no other one ever has it.
pub type ConnectionId = [u8; 16];

/// The user, the device (empty for who acts without one), when the device was made, the connection's name.
pub type ConnectionKey = (OwnedUserId, OwnedDeviceId, Position, String);

plop_db::keyspaces! {
    pub const KEYSPACES;

    /// The connections of a device. Written with every answer that tells something; read by requests whose connection is not in memory; deleted
    /// when the connection begins again, when its device has too many, when the device ended, and when it was not used for long. Redactions do not touch
    /// it.
    pub Connections = 170 "sliding_connections" Scan { ConnectionKey => ConnectionRow }

    /// What was sent of which room on a connection. Written with the answers that tell of the room; read with the connection; deleted with it.
    /// Redactions do not touch it.
    pub SentRooms = 171 "sliding_sent_rooms" Scan { (ConnectionId, RoomNumber) => SentRow }

    /// The wishes for state that rooms of a connection were sent with, by their hash. Written with the first answer that follows them; read with the connection;
    /// deleted when no room has them any more, and with the connection. Redactions do not touch it.
    pub SentWishes = 172 "sliding_sent_wishes" Scan { (ConnectionId, u64) => StateWishes }

    /// The connections by when they were used last, to within a day: the time (`used` of its row), then the fields of [`ConnectionKey`].
    /// Written and deleted with the row; read by the sweep. Redactions do not touch it.
    pub ConnectionUses = 173 "sliding_connection_uses" Queue
        { (UnixMillis, OwnedUserId, OwnedDeviceId, Position, String) => () }

    /// The last device that ended whose connections are gone. Written and read by the sweep.
    pub ConnectionsDeleted = 174 "sliding_connections_deleted" Point { () => DeviceEnd } cursor of DeviceEnds
}

record! {
    /// A connection.
    pub struct ConnectionRow = 1 {
        pub id: ConnectionId,
        /// The last answer.
        pub current: MarkRow,
        /// The one that it went on from.
        pub parent: Option<MarkRow>,
        pub used: UnixMillis,
    }
}

record! {
    /// An answer of a connection, as it was kept before device lists and thread subscriptions had a place of their own.
    pub struct MarkRowV1 = 1 {
        pub answer: u64,
        pub position: Position,
        pub account_data: Option<Position>,
    }
}

impl From<MarkRowV1> for MarkRow {
    fn from(MarkRowV1 { answer, position, account_data }: MarkRowV1) -> Self {
        Self { answer, position, account_data, encryption: Some(position), thread_subscriptions: None }
    }
}

record! {
    /// An answer of a connection.
    pub struct MarkRow = 2 from MarkRowV1 {
        /// Rises with each answer.
        pub answer: u64,
        /// Everything told of goes up to here.
        pub position: Position,
        /// Up to where account data was told that belongs to no room.
        pub account_data: Option<Position>,
        /// Up to where changes of device lists and of the device's keys were told. What was before the connection began need not be.
        pub encryption: Option<Position>,
        /// Up to where thread subscriptions were told.
        pub thread_subscriptions: Option<Position>,
    }
}

record! {
    /// What was sent of a room.
    pub struct SentRow = 1 {
        /// As of the answer before the last change.
        pub base: Option<SentRoom>,
        pub delta: Option<SentDelta>,
    }
}

record! {
    /// What an answer changed.
    pub struct SentDelta = 1 {
        pub answer: u64,
        pub sent: SentRoom,
    }
}

record! {
    /// How much of a room a client has.
    pub struct SentRoom = 1 {
        /// Its events up to here.
        pub position: Position,
        /// The length of timeline that was asked for.
        pub timeline_limit: u32,
        /// The wishes for state that were followed.
        pub wishes: u64,
        pub is_dm: bool,
        /// Its receipts, up to the answer's position.
        pub receipts: bool,
        /// Its account data, up to the answer's position.
        pub account_data: bool,
    }
}
