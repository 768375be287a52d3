//! What rooms store: every keyspace of this crate and, in [`rows`], what is in them.
//!
//! Owns: the declarations, and nothing that reads or writes them. "Deleted with the room" is for the operation that deletes rooms: there is
//! none yet, nor one that purges history.
//!
//! Invariants: every key that belongs to a room begins with its number, so a room can be deleted by ranges and nothing is shared
//! between rooms. [`Heads`] is the authority on a room: its row names the state root and the forward extremities, and every
//! batch of the room's writer expects the head it was built on. The other rows are events, or projections written
//! with them.

mod membership;
mod rows;

use plop_base::clock::UnixMillis;
use plop_db::codec::Tail;
use plop_db::{Counter, Position};
use plop_state_store::{EventNumber, KeyHash, RoomNumber};
use ruma::{OwnedEventId, OwnedRoomAliasId, OwnedRoomId, OwnedServerName, OwnedUserId};

pub use membership::Membership;
pub use rows::{
    ActiveThreadRow, AliasRow, BackwardExtremitiesRow, EventFacts, EventRow, HeadRow, IndirectRelationRow,
    MemberRow, MentionRow, Outcome, ProjectingRow, RelatedRow, RelationRow, RoomRow, SentBy, SigningKeyRow,
    StrippedStateRow, Tally, ThreadRow, ThreadSummary, TimelineRow, Totals, TransactionKey, TransactionRow,
    UserRoomRow, WaitingRow,
};

use crate::history_place::HistoryPlace;

plop_db::keyspaces! {
    pub const KEYSPACES;

    /// The number of a room. Written once, when the room is created or first joined; read by every request that names a room;
    /// deleted with the room. Redactions do not touch it.
    pub RoomIds = 100 "room_ids" Point { OwnedRoomId => RoomNumber }

    /// What never changes about a room. Written with `room_ids`; read when a room is loaded; deleted with the room. Redactions do not
    /// touch it. A room has this row exactly when it has a number.
    pub RoomRecords = 101 "rooms" Point { RoomNumber => RoomRow }

    /// Where a room stands: its state and its forward extremities. Written by the room's writer with every event, which
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
    pub History = 106 "history" Scan { (RoomNumber, HistoryPlace) => EventNumber }

    /// Events by the time that they claim, and at one time in graph order. Written with `history`; read by those who look for a time in the past.
    /// Deleted with the room. Redactions do not touch it.
    pub EventTimes = 260 "event_times" Scan { (RoomNumber, UnixMillis, HistoryPlace) => EventNumber }

    /// Backward extremities: places in graph order below which events are missing. Written when an event arrives whose
    /// previous events we do not have, deleted when they have been fetched. Redactions do not touch it.
    pub BackwardExtremities = 107 "backward_extremities" Scan { (RoomNumber, HistoryPlace) => BackwardExtremitiesRow }

    /// The members of a room, in whatever membership they are: a projection of the member events of the current state. Written with
    /// each member event that becomes current; read for member lists, counts and heroes; deleted with the room. A redaction
    /// of the member event rewrites the row.
    pub Members = 108 "members" Scan { (RoomNumber, OwnedUserId) => MemberRow }

    /// The rooms of a user, by the membership in the current state or, for invites from elsewhere, in what was handed over.
    /// One row for each pair, moved to its newest position. Written with each member event but for those that leave a member in (a new profile);
    /// read by sync; marked, not deleted, when the user forgets the room. Redactions do not touch it.
    pub UserRooms = 109 "user_rooms" Scan
        { (OwnedUserId, RoomNumber) => UserRoomRow } stream (OwnedUserId, RoomNumber)

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

    /// Texts of events from an answer as large as a room, by the answer and the order in which they were named, until all that they cite has come.
    /// Written and read by ingest while it takes the answer in; deleted at its end, or at the next start. A redaction does not reach it:
    /// none of them is an event of the room yet.
    pub StagedEvents = 134 "staged_events" Queue { (RoomNumber, u64, u32) => Tail<String> }

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

    /// The children of events, by their parent, which need not be here, in graph order: each twice, among all of them and among those with its type of
    /// relation. Written with each event that gets a place; read by `/relations`, aggregations and threads; deleted with the room, and with the
    /// relation, when the child is redacted.
    pub Relations = 180 "relations" Scan { (RoomNumber, OwnedEventId, Option<String>, HistoryPlace) => RelationRow }

    /// The children of children, and theirs, by the event at the top. Written with the event, where the events between are here; read by `/relations` with
    /// `recurse`; deleted with the room and when the event is redacted. The redaction of an event between leaves the row: whoever reads looks whether
    /// that happened.
    pub IndirectRelations = 181 "indirect_relations" Scan
        { (RoomNumber, OwnedEventId, HistoryPlace) => IndirectRelationRow }

    /// Edits, by what they would edit, a keyed hash of their type and sender (which must be those of the original), their time and their id: the last one
    /// is the most recent. Written and deleted with `relations`; read by aggregations.
    pub Edits = 182 "edits" Scan { (RoomNumber, OwnedEventId, KeyHash, u64, OwnedEventId) => EventNumber }

    /// What is aggregated of the children of an event. Written with each child of a type that is; read with every page of events; deleted with the room,
    /// and when no such child is left. A redaction of the event itself does not touch it.
    pub Related = 183 "related" Point { (RoomNumber, OwnedEventId) => RelatedRow }

    /// How many events of a thread a user has sent. Written with each; read by aggregations; deleted with the room. A redaction of one takes one off.
    pub ThreadSenders = 184 "thread_senders" Counter { (RoomNumber, OwnedEventId, OwnedUserId) => Counter }

    /// Threads in the order of their latest events: one row for each, at the place of that event. Written with the event; read by `/threads`; deleted with
    /// the room, and with the thread's last event. A redaction of the latest event moves it back to the one before.
    pub ThreadsByLatest = 185 "threads_by_latest" Scan { (RoomNumber, HistoryPlace) => OwnedEventId }
    /// Rooms that admit guests no more and may still have some of this server. Written with the event that changes that; read by what lets them leave, and
    /// deleted when they have, unless there was another such event meanwhile: the value is the place of the last one. Redactions do not touch it.
    pub ClosedToGuests = 281 "closed_to_guests" Queue { RoomNumber => Position } stream ()
    /// The rooms whose members everybody may find: everybody may join them or look into them, by the current state. Written and deleted with the event
    /// that changes that; read by the user directory; deleted with the room. Redactions do not touch it.
    pub OpenRooms = 221 "open_rooms" Point { RoomNumber => () }
}

/// How long a transaction id is remembered. Clients repeat a request within minutes; a day leaves room for a phone that was off.
pub const TRANSACTION_LIFETIME: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);
