//! The rows of this crate's keyspaces.
//!
//! Owns: their fields. Does not own: which keyspace holds them ([`super`]), what follows from them.

use plop_base::clock::UnixMillis;
use plop_db::codec::Tail;
use plop_db::{Position, record, tags};
use plop_state_store::tree::Root;
use plop_state_store::{EventNumber, Generation};
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};

use super::membership::Membership;
use crate::history_place::HistoryPlace;

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
        pub forward_extremities: Vec<EventNumber>,
        /// Where the next live event stands in graph order.
        pub next_place: HistoryPlace,
        /// Those of the last row of `timeline`.
        pub totals: Totals,
        /// The room was joined without its members, and its state is not complete yet: the servers in it are those of [`PartialServers`](super::PartialServers).
        pub is_partial: bool,
    }
}

record! {
    /// One event.
    pub struct EventRow = 1 {
        pub event_id: OwnedEventId,
        pub facts: EventFacts,
        /// Canonical JSON without `unsigned`; the redacted form once redacted.
        pub pdu: Tail<String>,
    }
}

record! {
    /// What this server knows about an event besides its text.
    pub struct EventFacts = 1 {
        pub outcome: Outcome,
        /// Judged under a state that is not complete; judged again at resync.
        pub provisional: bool,
        /// Place in graph order, for events that are in the graph.
        pub place: Option<HistoryPlace>,
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
    }
}

impl EventFacts {
    /// An event that has no place in the graph yet.
    pub fn outlier() -> Self {
        Self {
            outcome: Outcome::Outlier,
            provisional: false,
            place: None,
            before: None,
            after: None,
            replaces: None,
            redacted_by: None,
            sent_by: None,
        }
    }
}

record! {
    /// The request through which a local user sent an event.
    pub struct SentBy = 1 {
        /// Empty for what this server sent later in the user's name; the transaction is then the name of the delayed event.
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
        pub top: HistoryPlace,
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
        /// Those with rows in [`Mentions`](super::Mentions).
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
        /// Of the events with rows in [`ThreadTotals`](super::ThreadTotals).
        pub tally: Tally,
        /// Where the thread is in [`ActiveThreads`](super::ActiveThreads).
        pub active: u64,
    }
}

record! {
    /// A thread that notified.
    pub struct ActiveThreadRow = 1 {
        pub root: OwnedEventId,
        /// Where its last row in [`ThreadTotals`](super::ThreadTotals) is.
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
    /// The child of an event.
    pub struct RelationRow = 1 {
        pub event: EventNumber,
        pub sender: OwnedUserId,
        /// Its type.
        pub kind: String,
    }
}

record! {
    /// The child of a child of an event.
    pub struct IndirectRelationRow = 1 {
        pub event: EventNumber,
        /// The events between, from the parent upwards.
        pub through: Vec<EventNumber>,
    }
}

record! {
    /// What is aggregated of the children of an event.
    #[derive(Copy, Default)]
    pub struct RelatedRow = 1 {
        /// The most recent edit of it.
        pub edit: Option<EventNumber>,
        /// There may be a more recent one in [`Edits`](super::Edits): one that came before the event itself, or the one that was the most recent is
        /// redacted.
        pub has_loose_edits: bool,
        pub thread: Option<ThreadSummary>,
        pub references: u64,
    }
}

record! {
    /// A thread with this root.
    #[derive(Copy)]
    pub struct ThreadSummary = 1 {
        pub events: u64,
        /// The latest in graph order, with its place.
        pub latest: EventNumber,
        pub place: HistoryPlace,
    }
}

record! {
    /// A place below which history is missing.
    pub struct BackwardExtremitiesRow = 1 {
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
        /// Not shown: left and forgotten by the user, or an invite that the user ignores.
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
