//! What is stored of events that are sent later: every keyspace of this crate and the rows in them.
//!
//! Owns: the declarations, and nothing that reads or writes them.
//!
//! Invariant: the row of an event is the authority; the other rows lead to it, are written in the same batches, and can be made from it.

use plop_base::UnixMillis;
use plop_db::codec::Tail;
use plop_db::{choice, record, tags};
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};

plop_db::keyspaces! {
    pub const KEYSPACES;

    /// Events that were scheduled, by their names. Written by scheduling, by what is asked to be done with them, and when they are over; deleted some
    /// days after that. A redaction does not reach it: nothing of it is in a room.
    pub DelayedEvents = 240 "delayed_events" Point { String => DelayedRow }

    /// When which event is to be sent: its time, since when it is running (which orders those of one time), its name. Written and deleted with
    /// its row; read by what sends them. Only scheduled events are in it.
    pub DueDelayed = 241 "delayed_due" Queue { (UnixMillis, UnixMillis, String) => () }

    /// The events of a user: whether they are over, the time at which they are to be sent or were over, their names. Written and deleted with their rows;
    /// read by lists and limits.
    pub DelayedOfUser = 242 "delayed_of_user" Scan { (OwnedUserId, bool, UnixMillis, String) => () }

    /// Requests that have scheduled an event, so that a repetition schedules no second one. Written with the event's row and deleted with it.
    pub DelayedRequests = 243 "delayed_requests" Point { DelayedRequest => String }

    /// When which event was over. Written with that; read and deleted by what forgets them.
    pub FinalisedDelayed = 244 "delayed_finalised" Queue { (UnixMillis, String) => () }
}

record! {
    /// What a transaction id is valid for.
    pub struct DelayedRequest = 1 {
        pub user: OwnedUserId,
        /// Empty for those without a device.
        pub device: String,
        pub room: OwnedRoomId,
        pub kind: String,
        pub transaction: String,
    }
}

record! {
    /// An event that is sent later, or was to be.
    pub struct DelayedRow = 1 {
        pub user: OwnedUserId,
        /// Empty for those without a device.
        pub device: String,
        pub by: ScheduledBy,
        pub room: OwnedRoomId,
        pub kind: String,
        pub state_key: Option<String>,
        /// In milliseconds.
        pub delay: u64,
        /// When it was scheduled, or restarted last.
        pub since: UnixMillis,
        /// When it is to be sent.
        pub due: UnixMillis,
        pub request: Option<DelayedRequest>,
        /// Of a state event: the one that was current when it was scheduled.
        pub replaces: Option<OwnedEventId>,
        pub finalised: Option<FinalisedRow>,
        /// Canonical JSON.
        pub content: Tail<String>,
    }
}

choice! {
    /// As what its user has scheduled it, and so sends it.
    pub enum ScheduledBy {
        User = 1,
        AppService { registration: String } = 2,
        Guest = 3,
        /// An administrator in the user's name.
        Admin { admin: OwnedUserId } = 4,
        /// One whom others do not hear.
        ShadowBanned = 5,
        /// This server in the user's name.
        Server = 6,
    }
}

record! {
    /// That it is over.
    pub struct FinalisedRow = 1 {
        pub at: UnixMillis,
        pub end: End,
    }
}

choice! {
    /// What became of it.
    pub enum End {
        Sent { event: OwnedEventId } = 1,
        Refused { failure: FailureRow } = 2,
        Cancelled = 3,
    }
}

record! {
    /// Why it was not sent.
    pub struct FailureRow = 1 {
        pub kind: FailureKind,
        /// For people.
        pub reason: String,
    }
}

tags! {
    /// What kept it from being sent.
    pub enum FailureKind {
        /// The room's rules, or that the user is not in the room.
        Forbidden = 1,
        /// There is nothing that it could be done to: the event to be redacted.
        NotFound = 2,
        TooLarge = 3,
        /// The account is locked or suspended.
        Suspended = 4,
        /// The account has ended.
        AccountEnded = 5,
        /// Somebody else has set the state that it was to set.
        Replaced = 6,
        Other = 7,
        /// Its user has done too much of this.
        Limited = 8,
    }
}
