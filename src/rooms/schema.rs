//! What rooms store: every keyspace of this crate and the rows in them.
//!
//! Owns: the declarations, and nothing that reads or writes them. "Deleted with the room" is for the operation that deletes rooms: there is
//! none yet, nor one that purges history.
//!
//! Invariants: every key that belongs to a room begins with its number, so a room can be deleted by ranges and nothing is shared
//! between rooms. [`Heads`] is the authority on a room: its row names the state root and the forward extremities, and every
//! batch of the room's writer expects the head it was built on. The other rows are events, or projections written
//! with them.

use plop_base::clock::UnixMillis;
use plop_db::codec::Tail;
use plop_db::{Position, record, tags};
use plop_state_store::tree::Root;
use plop_state_store::{EventNumber, Generation, KeyHash, RoomNumber};
use ruma::{OwnedEventId, OwnedRoomAliasId, OwnedRoomId, OwnedServerName, OwnedUserId};

use crate::rank::Rank;

plop_db::keyspaces! {
    pub const KEYSPACES;

    /// The number of a room. Written once, when the room is created or first joined; read by every request that names a room;
    /// deleted with the room. Redactions do not touch it.
    pub RoomIds = 100 "room_ids" Point { OwnedRoomId => RoomNumber }

    /// What never changes about a room. Written with `room_ids`; read when a room is loaded; deleted with the room. Redactions do not
    /// touch it. A room has this row exactly when it has a number.
    pub Rooms = 101 "rooms" Point { RoomNumber => RoomRow }

    /// Where a room stands: its state and the tips of its graph. Written by the room's writer with every event, which
    /// expects the row before it; read when a room is loaded. A room without this row, or with one that names no extremities, is one that we
    /// only know of (an invite from elsewhere, a join that is not finished). Redactions do not touch it.
    pub Heads = 102 "room_heads" Point { RoomNumber => HeadRow }

    /// The number of an event in its room. Written with the event; read wherever an event is named by its id; deleted with the room.
    /// Redactions do not touch it.
    pub EventNumbers = 103 "event_numbers" Point { (RoomNumber, OwnedEventId) => EventNumber }

    /// Events: what was received or made, what became of it, and the state around it. Written by the room's writer; read by
    /// everyone; deleted with the room or by purging history. A redaction replaces `pdu` by its redacted form.
    pub Events = 104 "events" Scan { (RoomNumber, EventNumber) => EventRow }

    /// Arrival order: the live stream of a room, which drives sync and everything that tails. Written with each accepted
    /// event that arrived live (never backfill, outliers, rejected or soft-failed events); deleted with the room. Redactions do not
    /// touch it.
    pub Timeline = 105 "timeline" Scan { (RoomNumber, Position) => TimelineRow } stream RoomNumber

    /// Where an event stands in the live stream: the reverse of `timeline`, written and deleted together with it. Kept apart from
    /// the event's row, so that a row can be rewritten while the batch that gives the position is still in flight.
    pub Arrivals = 119 "arrivals" Point { (RoomNumber, EventNumber) => Position }

    /// Graph order: the order of history pages. Written with each event that may be shown in history; read by pagination and context.
    /// Deleted with the room. Redactions do not touch it.
    pub History = 106 "history" Scan { (RoomNumber, Rank) => EventNumber }

    /// Backward extremities: places in graph order below which events are missing. Written when an event arrives whose
    /// previous events we do not have, deleted when they have been fetched. Redactions do not touch it.
    pub Gaps = 107 "gaps" Scan { (RoomNumber, Rank) => GapRow }

    /// The members of a room, in whatever membership they are: a projection of the member events of the current state. Written with
    /// each member event that becomes current; read for member lists, counts and heroes; deleted with the room. A redaction
    /// of the member event rewrites the row.
    pub Members = 108 "members" Scan { (RoomNumber, OwnedUserId) => MemberRow }

    /// The rooms of a user, by the membership in the current state or, for invites from elsewhere, in what was handed over.
    /// One row for each pair, moved to its newest position. Written with each member event but for those that leave a member in (a new profile);
    /// read by sync; marked, not deleted, when the user forgets the room. Redactions do not touch it.
    pub UserRooms = 109 "user_rooms" Scan { (OwnedUserId, RoomNumber) => UserRoomRow } stream OwnedUserId

    /// Stripped state handed over with an invite or a knock for a local user, as JSON. Written with the membership, read by
    /// sync while it lasts, deleted when it ends. A redaction does not reach it: it is a copy made by another server.
    pub StrippedState = 110 "stripped_state" Large { (OwnedUserId, RoomNumber) => StrippedStateRow }

    /// Requests that have been answered, so that a repetition gets the same answer and no second event (client-server API,
    /// "Transaction identifiers"). Written with the event; read by every send; deleted when older than [`TRANSACTION_LIFETIME`].
    /// Redactions do not touch it. The row of a device that is gone stays as long, and says nothing to a later device of that id.
    pub Transactions = 111 "transactions" Point { TransactionKey => TransactionRow }

    /// Redactions whose target we did not have when they came. Written by ingest; read when an event arrives; deleted once applied.
    /// A redaction of the redaction does not reach it.
    pub WaitingRedactions = 112 "waiting_redactions" Point { (RoomNumber, OwnedEventId, EventNumber) => () }

    /// Originals of redacted events, until they are destroyed. Written when a redaction is applied; read by nobody but an
    /// administrator; deleted when their time has come. Keyed by when that is.
    pub Originals = 113 "originals" Queue { (UnixMillis, RoomNumber, EventNumber) => Tail<String> }

    /// Room aliases of this server. Written and deleted by alias operations and room creation. Redactions do not touch it.
    pub Aliases = 114 "aliases" Point { OwnedRoomAliasId => AliasRow }

    /// The aliases of a room: the reverse of `aliases`, written and deleted together with it.
    pub RoomAliases = 115 "room_aliases" Scan { (RoomNumber, OwnedRoomAliasId) => () }

    /// The rooms in the public directory. Written by the directory operation and by room creation; deleted with the room.
    pub PublishedRooms = 116 "published_rooms" Scan { RoomNumber => () }

    /// Events that were named by others and could not be judged yet because something they need is missing: raw, as
    /// received. Written and deleted by ingest. A redaction of one waits in `waiting_redactions`.
    pub WaitingEvents = 117 "waiting_events" Queue { (RoomNumber, OwnedEventId) => WaitingRow }

    /// The signing keys of this server, by key id. Written once at the first start; read at start. Never deleted.
    pub SigningKeys = 118 "signing_keys" Point { String => SigningKeyRow }

    /// The annotations that local users have given: what is annotated, by whom, and a keyed hash of the event's type with the annotation's key (any
    /// text a client likes). Written with the event; read when a local user annotates; deleted with the room. A redaction leaves the row: whoever
    /// finds one looks whether its event was redacted, and the next such annotation takes its place.
    pub Annotations = 120 "annotations" Point { (RoomNumber, OwnedEventId, OwnedUserId, KeyHash) => EventNumber }

    /// The name of the server whose database this is. Written at the end of the first start, and of later ones with another name while there is no
    /// user and no room; compared at each start. Never deleted.
    pub ServerName = 122 "server_name" Point { () => OwnedServerName }

    /// Live events that mention a joined local user and do not highlight everyone anyway. The `bool`: in a thread, so that what the main
    /// timeline asks for is one range. Written with the event; read by unread counts; deleted with the room. A redaction leaves the row: whoever
    /// counts leaves out what `applied_redactions` names.
    pub Mentions = 123 "mentions" Scan { (RoomNumber, OwnedUserId, bool, Position) => MentionRow }

    /// The servers of a room that was joined without its members (`omit_members`), while its state, [`HeadRow::is_partial`], does not say them. Written
    /// before that flag, deleted with it; no such join is asked for yet, so there are none. Redactions do not touch it.
    pub PartialServers = 121 "partial_servers" Scan { (RoomNumber, OwnedServerName) => () }

    /// Since when a local user has been joined without interruption: events before do not count as unread. Written with the join; read by unread
    /// counts, for joined users only; deleted with the room. Redactions do not touch it.
    pub JoinedSince = 124 "joined_since" Point { (RoomNumber, OwnedUserId) => Position }

    /// The last event that a local user sent to the main timeline (no thread root) or to a thread: whoever sends has read up to there.
    /// Membership events are not among them. Written with the event; read by unread counts; deleted with the room. Redactions do not touch it.
    pub LastSent = 125 "last_sent" Scan { (RoomNumber, OwnedUserId, Option<OwnedEventId>) => Position }

    /// Threads, by their root: the live events in them that notify everyone, with running totals. Written with the event, which takes over
    /// the totals of the row before; read by unread counts; deleted with the room. Redactions do not touch it.
    pub ThreadTotals = 126 "thread_totals" Scan { (RoomNumber, OwnedEventId, Position) => ThreadRow }

    /// Which thread notified last: one row for each, at the number of live events in the room with its last row in `thread_totals`. (A
    /// position would not do as a key: that of a batch in flight is not known, and the row could not be moved.) Written and deleted together with
    /// `thread_totals`; read by unread counts. Redactions do not touch it.
    pub ActiveThreads = 127 "active_threads" Scan { (RoomNumber, u64) => ActiveThreadRow }

    /// Events that a redaction was applied to, at the live event with which that happened. Written with the redacted form; read by unread
    /// counts, where what is redacted no longer counts; deleted with the room. The target may have arrived at that position itself.
    pub AppliedRedactions = 128 "applied_redactions" Scan { (RoomNumber, Position, EventNumber) => () }

    /// Rooms in which the rows of members ([`Members`], [`UserRooms`]) are behind the current state, because more have changed at once than fit
    /// into a batch. Written with the event that changed them; read when the room is loaded, and by what writes the rest; deleted with the last of
    /// it. Redactions do not touch it.
    pub Projecting = 129 "projecting" Point { RoomNumber => ProjectingRow }
}

/// How long a transaction id is remembered. Clients repeat a request within minutes; a day leaves room for a phone that was off.
pub const TRANSACTION_LIFETIME: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);

tags! {
    /// What became of an event (server-server API, "Checks performed on receipt of a PDU"). Rejected by a rule and soft-failed are final;
    /// an outlier may be judged later, when its place in the graph is known.
    pub enum Outcome {
        /// Passed all checks: part of the room for everyone.
        Accepted = 1,
        /// Allowed where it stands in the graph, not by the current state: no client sees it and it is no forward extremity of
        /// ours, but later events may build on it.
        SoftFailed = 2,
        /// Refused by the rules. Never shown, never in an auth chain, never in a state.
        Rejected = 3,
        /// Passed the checks that need no place in the graph; the state before it is not known.
        Outlier = 4,
    }
}

tags! {
    /// How a user stands to a room (client-server API, `m.room.member`).
    pub enum Membership {
        Join = 1,
        Invite = 2,
        Knock = 3,
        Leave = 4,
        Ban = 5,
    }
}

impl Membership {
    /// The word in `content.membership`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Invite => "invite",
            Self::Knock => "knock",
            Self::Leave => "leave",
            Self::Ban => "ban",
        }
    }
}

record! {
    /// What never changes about a room.
    pub struct RoomRow = 1 {
        pub id: OwnedRoomId,
        /// The room version, as its identifier.
        pub version: String,
        pub since: UnixMillis,
    }
}

record! {
    /// Where a room stands.
    pub struct HeadRow = 1 {
        /// Rises with every batch of the writer, so that two heads are never equal.
        pub sequence: u64,
        pub next_event: EventNumber,
        /// The copy of the state nodes that all roots of the room are read from.
        pub generation: Generation,
        /// The current state: what the states after all forward extremities resolve to.
        pub root: Root,
        pub extremities: Vec<EventNumber>,
        /// Where the next live event stands in graph order.
        pub next_rank: Rank,
        /// Those of the last row of `timeline`.
        pub totals: Totals,
        /// The room was joined without its members, and its state is not complete yet: the servers in it are those of [`PartialServers`].
        pub is_partial: bool,
    }
}

record! {
    /// One event and what is known about it.
    pub struct EventRow = 1 {
        pub event_id: OwnedEventId,
        pub outcome: Outcome,
        /// Judged under a state that is not complete; judged again at resync.
        pub provisional: bool,
        /// Place in graph order, for events that are in the graph.
        pub rank: Option<Rank>,
        /// The state before the event; `None` for outliers.
        pub before: Option<Root>,
        /// The state after it, where it differs from `before`.
        pub after: Option<Root>,
        /// The state event that this one took the place of (`unsigned.replaces_state`).
        pub replaces: Option<EventNumber>,
        /// The redaction that has been applied to it.
        pub redacted_by: Option<EventNumber>,
        /// Who sent it through this server.
        pub sent_by: Option<SentBy>,
        /// Canonical JSON without `unsigned`; the redacted form once redacted.
        pub pdu: Tail<String>,
    }
}

record! {
    /// The request through which a local user sent an event.
    pub struct SentBy = 1 {
        pub device: String,
        pub transaction: Option<String>,
    }
}

record! {
    /// One place in the live stream.
    pub struct TimelineRow = 1 {
        pub event: EventNumber,
        /// The room's current state after the event: not the event's own where the room's graph has forks.
        pub state: Root,
        /// Joined members in that state.
        pub joined: u64,
        /// In graph order right above every live event so far, this one included: whoever reads back from here finds them all. An event that was
        /// missing and came later stands further down itself.
        pub top: Rank,
        /// The root of the thread that the event is in ([`crate::thread`]).
        pub thread: Option<OwnedEventId>,
        /// With the event.
        pub totals: Totals,
    }
}

record! {
    /// A running total of live events. What is between two places of a stream is the difference of their totals.
    #[derive(Copy, Default)]
    pub struct Tally = 1 {
        pub events: u64,
        /// Those that notify everyone under the default push rules ([`plop_state::push::DefaultOutcome::everyone`]).
        pub notifying: u64,
        /// Those that notify everyone with a highlight.
        pub highlighting: u64,
        /// Those with rows in [`Mentions`].
        pub mentioning: u64,
    }
}

record! {
    /// The running totals of a room's live stream.
    #[derive(Copy, Default)]
    pub struct Totals = 1 {
        pub all: Tally,
        /// Of the events in threads; the rest is the main timeline.
        pub in_threads: Tally,
    }
}

record! {
    /// The running total of a thread.
    #[derive(Copy)]
    pub struct ThreadRow = 1 {
        /// Of the events with rows in [`ThreadTotals`].
        pub tally: Tally,
        /// Where the thread is in [`ActiveThreads`].
        pub active: u64,
    }
}

record! {
    /// A thread that notified.
    pub struct ActiveThreadRow = 1 {
        pub root: OwnedEventId,
        /// Where its last row in [`ThreadTotals`] is.
        pub position: Position,
    }
}

record! {
    /// An event that mentions a user.
    pub struct MentionRow = 1 {
        pub event: EventNumber,
        /// The root of the thread that the event is in.
        pub thread: Option<OwnedEventId>,
        /// Whether it notifies everyone, so that it is in the totals.
        pub notifies_everyone: bool,
    }
}

record! {
    /// A place below which history is missing.
    pub struct GapRow = 1 {
        /// The events to ask for.
        pub missing: Vec<OwnedEventId>,
    }
}

record! {
    /// A member of a room.
    pub struct MemberRow = 1 {
        pub membership: Membership,
        pub event: EventNumber,
        pub displayname: Option<String>,
        pub avatar_url: Option<String>,
    }
}

record! {
    /// How far the rows of members are behind.
    pub struct ProjectingRow = 1 {
        /// The state that they were those of. Some may be those of the current state already.
        pub from: Root,
        /// The sequence of the head with which they fell behind.
        pub since: u64,
    }
}

record! {
    /// A room of a user.
    pub struct UserRoomRow = 1 {
        pub membership: Membership,
        /// The member event with which it began; `None` for an invite or knock whose event is only known from what another server handed over.
        pub event: Option<EventNumber>,
        pub position: Position,
        pub forgotten: bool,
    }
}

record! {
    /// Stripped state events as JSON texts.
    pub struct StrippedStateRow = 1 {
        pub events: Vec<String>,
    }
}

record! {
    /// What a transaction id is valid for: the device, the endpoint with its path parameters, the id.
    pub struct TransactionKey = 1 {
        pub user: OwnedUserId,
        pub device: String,
        pub endpoint: String,
        pub transaction: String,
    }
}

record! {
    /// The answer that was given.
    pub struct TransactionRow = 1 {
        pub event_id: OwnedEventId,
        pub at: UnixMillis,
        /// Where the answer was committed: above `since` of the device that asked.
        pub position: Position,
    }
}

record! {
    /// Where an alias of this server leads.
    pub struct AliasRow = 1 {
        pub room: OwnedRoomId,
        pub creator: OwnedUserId,
    }
}

record! {
    /// A raw event that waits.
    pub struct WaitingRow = 1 {
        /// The server that handed it over.
        pub from: String,
        pub since: UnixMillis,
        pub pdu: Tail<String>,
    }
}

record! {
    /// A signing key of this server.
    pub struct SigningKeyRow = 1 {
        /// The 32 bytes of the ed25519 seed.
        pub seed: [u8; 32],
        pub since: UnixMillis,
        /// When it was replaced; it then verifies old events only.
        pub until: Option<UnixMillis>,
    }
}
