//! What a request of sliding sync asks for, in either dialect, and how it may end other than with an answer.
//!
//! Owns: the types and the limits. Does not own: their forms in HTTP (rank 5).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use plop_db::ReadError;
use plop_ephemeral::{PresenceReadError, PresenceState};
use plop_rooms::StoreFault;
use ruma::OwnedRoomId;

use super::connection::MAX_WISHES;
use super::required_state::StateWishes;

/// Lists of a request at most (MSC4186).
pub const MAX_LISTS: usize = 100;
/// Subscriptions of a request at most (MSC4186).
pub const MAX_SUBSCRIPTIONS: usize = 100;
/// Windows of one list at most; clients have one.
pub const MAX_RANGES: usize = 16;
/// Longest name of a connection, in bytes.
pub const MAX_CONNECTION_NAME_BYTES: usize = 128;
/// Longest name of a list, in bytes.
pub const MAX_LIST_NAME_BYTES: usize = 255;
/// Most that the different wishes for state of a request take, in bytes; those of Element X take one thousand.
pub const MAX_WISHES_BYTES: usize = 16 << 10;
/// Patterns in the different wishes for state of a request at most. Element X has some twenty for its list, and as many for all the rooms that it subscribes to.
pub const MAX_PATTERNS: usize = 256;
/// Different wishes for state of a request at most.
pub const MAX_DIFFERENT_WISHES: usize = 128;
/// Spaces, types and tags in all filters of a request, and names in one list of an extension, at most.
pub const MAX_NAMES: usize = 1_000;
/// Events of a timeline at most.
pub const MAX_TIMELINE: u32 = 100;

/// Changes of thread subscriptions in an answer at most: the default of the proposal (MSC4308).
pub const MAX_THREADS: usize = 100;

/// Which form the answer has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Dialect {
    /// What clients and servers have in use: `org.matrix.simplified_msc3575`.
    #[default]
    Deployed,
    /// MSC4186 as it was accepted: `/v4/sync`.
    Accepted,
}

/// A request.
#[derive(Debug, Clone, Default)]
pub struct SlidingRequest {
    pub dialect: Dialect,
    /// The connection's answer to go on from; a new connection without.
    pub pos: Option<String>,
    pub connection: String,
    /// Given back in the answer.
    pub transaction: Option<String>,
    /// Cut to [`crate::request::MAX_TIMEOUT`]; no wait without `pos`.
    pub timeout: Duration,
    pub set_presence: Presence,
    /// By name; at most [`MAX_LISTS`].
    pub lists: Vec<(String, List)>,
    /// At most [`MAX_SUBSCRIPTIONS`].
    pub subscriptions: Vec<(OwnedRoomId, RoomConfig)>,
    pub extensions: Extensions,
}

/// As what the user is shown.
#[derive(Debug, Clone, Copy)]
pub struct Presence(pub PresenceState);

impl Default for Presence {
    fn default() -> Self {
        Self(PresenceState::Online)
    }
}

/// A list of rooms, and the windows on it.
#[derive(Debug, Clone, Default)]
pub struct List {
    /// First and last place of each; `None`: all of it.
    pub ranges: Option<Vec<(u64, u64)>>,
    pub config: RoomConfig,
    pub filters: Filters,
}

impl List {
    /// Whether a place is in one of the windows.
    pub fn has(&self, place: u64) -> bool {
        let is_in = |(first, last): &(u64, u64)| (*first..=*last).contains(&place);
        self.ranges.as_ref().is_none_or(|ranges| ranges.iter().any(is_in))
    }
}

/// What is wanted of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomConfig {
    /// At most [`MAX_TIMELINE`].
    pub timeline_limit: u32,
    pub state: StateWishes,
    /// Whether users that a room without a name is called by are wanted.
    pub heroes: bool,
}

impl Default for RoomConfig {
    fn default() -> Self {
        Self { timeline_limit: 0, state: StateWishes { wishes: Vec::new() }, heroes: true }
    }
}

/// Which rooms a list has.
#[derive(Debug, Clone, Default)]
pub struct Filters {
    pub is_dm: Option<bool>,
    pub is_encrypted: Option<bool>,
    pub is_invited: Option<bool>,
    /// Children of one of these spaces.
    pub spaces: Option<BTreeSet<OwnedRoomId>>,
    /// `None` in it: rooms without a type.
    pub room_types: Option<BTreeSet<Option<Arc<str>>>>,
    pub not_room_types: BTreeSet<Option<Arc<str>>>,
    pub tags: Option<BTreeSet<String>>,
    pub not_tags: BTreeSet<String>,
}

impl Filters {
    /// Whether tags are asked about.
    pub fn has_tags(&self) -> bool {
        self.tags.is_some() || !self.not_tags.is_empty()
    }

    /// Spaces, types and tags that are named.
    pub fn names(&self) -> usize {
        let Self { spaces, room_types, not_room_types, tags, not_tags, .. } = self;
        spaces.as_ref().map_or(0, BTreeSet::len)
            + room_types.as_ref().map_or(0, BTreeSet::len)
            + not_room_types.len()
            + tags.as_ref().map_or(0, BTreeSet::len)
            + not_tags.len()
    }
}

/// All, or some by name.
#[derive(Debug, Clone, Default)]
pub enum Names<T> {
    #[default]
    All,
    Of(BTreeSet<T>),
}

impl<T: Ord> Names<T> {
    /// Whether it is meant.
    pub fn has(&self, name: &T) -> bool {
        match self {
            Self::All => true,
            Self::Of(names) => names.contains(name),
        }
    }
}

/// Of which rooms an extension tells.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Those in the windows of these lists.
    pub lists: Names<String>,
    /// Those subscribed to, of these.
    pub rooms: Names<OwnedRoomId>,
}

/// What is wanted besides rooms; `None`: not enabled.
#[derive(Debug, Clone, Default)]
pub struct Extensions {
    pub to_device: Option<ToDeviceRequest>,
    /// Device lists, and what is left of the device's keys (MSC4543).
    pub encryption: bool,
    pub account_data: Option<Scope>,
    pub receipts: Option<Scope>,
    pub typing: Option<Scope>,
    /// At most so many changes of thread subscriptions.
    pub thread_subscriptions: Option<usize>,
}

/// Messages to the device.
#[derive(Debug, Clone, Default)]
pub struct ToDeviceRequest {
    pub since: Option<String>,
    pub limit: Option<usize>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum SlidingError {
    /// The position is none of this connection, or one that was given up.
    #[error("this position is not known: begin again without one")]
    UnknownPos,
    /// The position in the to-device extension is no token.
    #[error("since is not a token of the to-device extension")]
    NoToDeviceToken,
    /// The lists and subscriptions together wish for too much state.
    #[error(
        "required_state: at most {MAX_DIFFERENT_WISHES} different ones of {MAX_PATTERNS} patterns and {MAX_WISHES_BYTES} bytes in all, \
         and {MAX_WISHES} different unions of them"
    )]
    TooManyWishes,
    /// The server itself has nothing to sync.
    #[error("this needs a user")]
    NoUser,
    #[error(transparent)]
    Store(#[from] StoreFault),
}

impl From<ReadError> for SlidingError {
    fn from(error: ReadError) -> Self {
        Self::Store(error.into())
    }
}

impl From<PresenceReadError> for SlidingError {
    fn from(error: PresenceReadError) -> Self {
        match error {
            PresenceReadError::Read(error) => error.into(),
            // Who syncs acts for themselves.
            PresenceReadError::Forbidden(_) => Self::NoUser,
        }
    }
}
