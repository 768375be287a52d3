//! What rooms need of other servers.
//!
//! Owns: [`Remote`], implemented by the federation client and, in tests, by a simulated network. Does not own: transport,
//! authentication of requests, retries, back-off; or what an answer is worth ([`crate::ingest`] trusts nothing of it).
//!
//! Invariants: an answer is raw: every event in it passes all checks, as if it had been sent. One that may be as large as a room is handed over in
//! parts ([`RoomParts`]); of the others each says how many events it has at most.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;

use plop_state::Pdu;
use plop_state::json::Object;
use plop_state::sign::{KeyId, VerifyKeys};
use ruma::{EventId, OwnedEventId, OwnedServerName, RoomId, RoomVersionId, ServerName, UserId};

/// An event as another server wrote it.
pub type RawPdu = Box<str>;

/// What a request ends in.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, RemoteError>> + Send + 'a>>;

/// Keys to look for, by server.
pub type KeysWanted = BTreeMap<OwnedServerName, BTreeSet<KeyId>>;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// Not reached, no answer in time, or one that is none. Asking again may help.
    #[error("the server does not answer")]
    Unreachable,
    /// It answered that it will not.
    #[error("the server refuses: {0}")]
    Refused(String),
}

/// The state before an event, by ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StateIds {
    pub state: Vec<OwnedEventId>,
    pub auth_chain: Vec<OwnedEventId>,
}

/// A part of an answer that may be as large as a room. Parts come in any number and in any order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomPart {
    /// Events of the state.
    State(Vec<RawPdu>),
    /// Events of the auth chain.
    AuthChain(Vec<RawPdu>),
    /// The join with the signature of the server that let it in, where it gave one (`/send_join` only).
    Join(RawPdu),
}

/// Such an answer while it comes. Whoever implements it has no more of it in memory than a part of about [`PART_BYTES`] and what is being read.
pub trait RoomParts: Send {
    /// The next part; `None` at the end of a whole answer.
    ///
    /// # Errors
    /// The answer broke off, or is none. What has come so far is not the whole.
    fn next(&mut self) -> Answer<'_, Option<RoomPart>>;
}

/// Such an answer.
pub type RoomAnswer = Box<dyn RoomParts>;

/// The text of the events in one part that is aimed at.
pub const PART_BYTES: usize = 1 << 20;

/// Which events between two places of the graph are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingEvents {
    /// Events whose ancestors are wanted.
    pub latest: Vec<OwnedEventId>,
    /// Events at which to stop.
    pub earliest: Vec<OwnedEventId>,
    pub limit: usize,
    pub min_depth: u64,
}

/// What a server gives to whoever wants to join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinTemplate {
    pub version: RoomVersionId,
    /// The members of the event to be made.
    pub event: Object,
}

/// Requests to other servers (server-server API). Each has its own time limit; answers are limited in size.
pub trait Remote: Send + Sync {
    /// Keys of servers, as far as they can be had: those missing in the answer are not known.
    fn keys<'a>(&'a self, wanted: &'a KeysWanted) -> Answer<'a, VerifyKeys>;

    /// One event (`/event`).
    fn event<'a>(
        &'a self,
        server: &'a ServerName,
        room: &'a RoomId,
        event: &'a EventId,
    ) -> Answer<'a, RawPdu>;

    /// The auth chain of an event (`/event_auth`).
    fn event_auth<'a>(
        &'a self,
        server: &'a ServerName,
        room: &'a RoomId,
        event: &'a EventId,
    ) -> Answer<'a, RoomAnswer>;

    /// The state before an event, by ids (`/state_ids`).
    fn state_ids<'a>(
        &'a self,
        server: &'a ServerName,
        room: &'a RoomId,
        event: &'a EventId,
    ) -> Answer<'a, StateIds>;

    /// The state before an event with its auth chain (`/state`), for when most of it is not here.
    fn state<'a>(
        &'a self,
        server: &'a ServerName,
        room: &'a RoomId,
        event: &'a EventId,
    ) -> Answer<'a, RoomAnswer>;

    /// Events between two places of the graph (`/get_missing_events`).
    fn missing_events<'a>(
        &'a self,
        server: &'a ServerName,
        room: &'a RoomId,
        wanted: &'a MissingEvents,
    ) -> Answer<'a, Vec<RawPdu>>;

    /// Events and what came before them (`/backfill`).
    fn backfill<'a>(
        &'a self,
        server: &'a ServerName,
        room: &'a RoomId,
        from: &'a [OwnedEventId],
        limit: usize,
    ) -> Answer<'a, Vec<RawPdu>>;

    /// What a join is to be made of (`/make_join`).
    fn make_join<'a>(
        &'a self,
        server: &'a ServerName,
        room: &'a RoomId,
        user: &'a UserId,
        versions: &'a [RoomVersionId],
    ) -> Answer<'a, JoinTemplate>;

    /// Hands over a join, for the state before it with its auth chain (`/send_join`).
    fn send_join<'a>(
        &'a self,
        server: &'a ServerName,
        room: &'a RoomId,
        join: &'a Pdu,
    ) -> Answer<'a, RoomAnswer>;
}
